import TernCore

// Recurrent networks, unrolled over time: input [T, N, I], state [N, H] → output [T, N, H].
// The products with the input are one matrix product for all time steps.

extension Tensor {
  private func timeStep(_ t: Int) throws(ShapeError) -> Tensor {
    try narrow(0, start: t, length: 1).reshape(Shape(Array(shape.dimensions.dropFirst())))
  }

  /// The part `index` of the innermost axis cut into `count`.
  private func part(_ index: Int, of count: Int) throws(ShapeError) -> Tensor {
    let length = shape[shape.rank - 1] / count
    return try narrow(-1, start: index * length, length: length)
  }

  private static func stack(_ steps: [Tensor]) throws(ShapeError) -> Tensor {
    var rows: [Tensor] = []
    for step in steps { rows.append(try step.reshape(Shape([1] + step.shape.dimensions))) }
    return try cat(rows, dim: 0)
  }

  /// The state to start from, the one given or zeros, once all fits together.
  private func initialState(
    _ operation: String, _ given: Tensor?, input weightIH: Tensor, hidden weightHH: Tensor,
    gates: Int
  ) throws(ShapeError) -> Tensor {
    let x = shape
    guard x.rank == 3 else {
      throw ShapeError(operation, "input", expected: "shape [T, N, I]", got: "\(x)")
    }
    guard weightHH.shape.rank == 2 else {
      throw ShapeError(
        operation, "weight_hh_l0", expected: "[\(gates) H, H]", got: "\(weightHH.shape)")
    }
    let state = given ?? builder.constant(0, [x[1], weightHH.shape[1]])
    let h = state.shape
    guard h.rank == 2, h[0] == x[1] else {
      throw ShapeError(operation, "h0", expected: "[\(x[1]), H]", got: "\(h)")
    }
    guard weightIH.shape == [gates * h[1], x[2]] else {
      throw ShapeError(
        operation, "weight_ih_l0", expected: "[\(gates * h[1]), \(x[2])]", got: "\(weightIH.shape)")
    }
    guard weightHH.shape == [gates * h[1], h[1]] else {
      throw ShapeError(
        operation, "weight_hh_l0", expected: "[\(gates * h[1]), \(h[1])]", got: "\(weightHH.shape)")
    }
    return state
  }

  /// The cell to start from, the one given or zeros.
  private static func initialCell(
    _ operation: String, _ given: Tensor?, like state: Tensor
  ) throws(ShapeError) -> Tensor {
    let cell = given ?? state.builder.constant(0, state.shape)
    guard cell.shape == state.shape else {
      throw ShapeError(operation, "c0", expected: "\(state.shape)", got: "\(cell.shape)")
    }
    return cell
  }

  /// Elman's network: h ← tanh(W x + b + U h + c). Elman, 1990.
  public func rnnTanh(
    state: Tensor? = nil, weightIH: Tensor, weightHH: Tensor, biasIH: Tensor?, biasHH: Tensor?
  ) throws(ShapeError) -> (output: Tensor, state: Tensor) {
    var h = try initialState("rnn_tanh", state, input: weightIH, hidden: weightHH, gates: 1)
    let projected = try linear(weight: weightIH, bias: biasIH)
    var outputs: [Tensor] = []
    for t in 0..<shape[0] {
      h = try (projected.timeStep(t) + h.linear(weight: weightHH, bias: biasHH)).tanh()
      outputs.append(h)
    }
    return (try Tensor.stack(outputs), h)
  }

  /// Gates packed i, f, g, o. Hochreiter and Schmidhuber, 1997.
  public func lstm(
    state: Tensor? = nil, cell: Tensor? = nil, weightIH: Tensor, weightHH: Tensor, biasIH: Tensor?,
    biasHH: Tensor?
  ) throws(ShapeError) -> (output: Tensor, state: Tensor, cell: Tensor) {
    var h = try initialState("lstm", state, input: weightIH, hidden: weightHH, gates: 4)
    var c = try Self.initialCell("lstm", cell, like: h)
    let projected = try linear(weight: weightIH, bias: biasIH)
    var outputs: [Tensor] = []
    for t in 0..<shape[0] {
      let gates = try projected.timeStep(t) + h.linear(weight: weightHH, bias: biasHH)
      let (i, f) = (try gates.part(0, of: 4).sigmoid(), try gates.part(1, of: 4).sigmoid())
      let (g, o) = (try gates.part(2, of: 4).tanh(), try gates.part(3, of: 4).sigmoid())
      c = try f * c + i * g
      h = try o * c.tanh()
      outputs.append(h)
    }
    return (try Tensor.stack(outputs), h, c)
  }

  /// Gates packed r, z, n; h ← (1 − z) ⊙ n + z ⊙ h. Cho et al., 2014.
  ///
  /// - Parameter resetsAfter: whether the reset gate is applied after the recurrent product, as
  ///   PyTorch does: n = tanh(W x + b + r ⊙ (U h + c)); else before it, as in the paper:
  ///   n = tanh(W x + b + U (r ⊙ h) + c).
  public func gru(
    state: Tensor? = nil, weightIH: Tensor, weightHH: Tensor, biasIH: Tensor?, biasHH: Tensor?,
    resetsAfter: Bool = true
  ) throws(ShapeError) -> (output: Tensor, state: Tensor) {
    var h = try initialState("gru", state, input: weightIH, hidden: weightHH, gates: 3)
    let projected = try linear(weight: weightIH, bias: biasIH)
    let width = h.shape[1]
    /// The rows of a packed weight or bias that belong to the gates `range`.
    func rows(_ packed: Tensor?, _ range: Range<Int>) throws(ShapeError) -> Tensor? {
      guard let packed else { return nil }
      return try packed.narrow(0, start: range.lowerBound * width, length: range.count * width)
    }
    let gates = resetsAfter ? 0..<3 : 0..<2
    let gateWeight = resetsAfter ? weightHH : try rows(weightHH, gates)!
    let gateBias = resetsAfter ? biasHH : try rows(biasHH, gates)
    let candidate = resetsAfter ? nil : try rows(weightHH, 2..<3)
    let candidateBias = resetsAfter ? nil : try rows(biasHH, 2..<3)
    var outputs: [Tensor] = []
    for t in 0..<shape[0] {
      let x = try projected.timeStep(t)
      let u = try h.linear(weight: gateWeight, bias: gateBias)
      let r = try (x.part(0, of: 3) + u.part(0, of: gates.count)).sigmoid()
      let z = try (x.part(1, of: 3) + u.part(1, of: gates.count)).sigmoid()
      let recurrent =
        if let candidate { try (r * h).linear(weight: candidate, bias: candidateBias) } else {
          try r * u.part(2, of: 3)
        }
      let n = try (x.part(2, of: 3) + recurrent).tanh()
      h = try n + z * (h - n)
      outputs.append(h)
    }
    return (try Tensor.stack(outputs), h)
  }

  /// An LSTM whose gates also see the previous cell, through diagonal weights V:
  /// i, f, o = σ(W x + U h + V ⊙ c). Gers and Schmidhuber, 2000.
  ///
  /// - Parameters:
  ///   - w: input weights [H, I] of the gates `i`, `f`, `o` and the candidate `c`.
  ///   - u: recurrent weights [H, H], likewise.
  ///   - v: peephole weights [H] of `i`, `f`, `o`.
  public func lstmPeephole(
    state: Tensor? = nil, cell: Tensor? = nil, w: [String: Tensor], u: [String: Tensor],
    v: [String: Tensor],
    b: [String: Tensor] = [:]
  ) throws(ShapeError) -> (output: Tensor, state: Tensor, cell: Tensor) {
    let name = "lstm_peephole"
    var start = state
    for gate in ["i", "f", "o", "c"] {
      guard let w = w[gate], let u = u[gate] else {
        throw ShapeError(name, "W_\(gate) and U_\(gate)", expected: "inputs", got: "nothing")
      }
      let state = try initialState(name, start, input: w, hidden: u, gates: 1)
      guard gate == "c" || v[gate]?.shape == [state.shape[1]] else {
        throw ShapeError(
          name, "V_\(gate)", expected: "[\(state.shape[1])]",
          got: v[gate].map { "\($0.shape)" } ?? "nothing")
      }
      start = state
    }
    var h = start!
    var c = try Self.initialCell(name, cell, like: h)
    var projected: [String: Tensor] = [:]
    for (gate, weight) in w.sorted(by: { $0.key < $1.key }) {
      projected[gate] = try linear(weight: weight, bias: b[gate])
    }
    var outputs: [Tensor] = []
    for t in 0..<shape[0] {
      func gate(_ name: String) throws(ShapeError) -> Tensor {
        let sum = try projected[name]!.timeStep(t) + h.linear(weight: u[name]!)
        guard let peephole = v[name] else { return try sum.tanh() }
        return try (sum + peephole * c).sigmoid()
      }
      let (i, f, o, candidate) = (
        try gate("i"), try gate("f"), try gate("o"), try gate("c")
      )
      c = try f * c + i * candidate
      h = try o * c.tanh()
      outputs.append(h)
    }
    return (try Tensor.stack(outputs), h, c)
  }
}

extension OperationSpec {
  private static let packed = [
    "weight_ih_l0", "weight_hh_l0", "bias_ih_l0?", "bias_hh_l0?",
  ]

  static let recurrent: [OperationSpec] = [
    OperationSpec("rnn_tanh", inputs: ["input", "h0?"] + packed, outputs: ["output", "hn"]) {
      _, x in
      let result = try x.required("input").rnnTanh(
        state: x.optional("h0"), weightIH: x.required("weight_ih_l0"),
        weightHH: x.required("weight_hh_l0"), biasIH: x.optional("bias_ih_l0"),
        biasHH: x.optional("bias_hh_l0"))
      return [result.output, result.state]
    },
    OperationSpec(
      "lstm", inputs: ["input", "h0?", "c0?"] + packed, outputs: ["output", "hn", "cn"]
    ) { _, x in
      let result = try x.required("input").lstm(
        state: x.optional("h0"), cell: x.optional("c0"), weightIH: x.required("weight_ih_l0"),
        weightHH: x.required("weight_hh_l0"), biasIH: x.optional("bias_ih_l0"),
        biasHH: x.optional("bias_hh_l0"))
      return [result.output, result.state, result.cell]
    },
    OperationSpec("gru", inputs: ["input", "h0?"] + packed, outputs: ["output", "hn"]) { a, x in
      let result = try x.required("input").gru(
        state: x.optional("h0"), weightIH: x.required("weight_ih_l0"),
        weightHH: x.required("weight_hh_l0"), biasIH: x.optional("bias_ih_l0"),
        biasHH: x.optional("bias_hh_l0"), resetsAfter: a.bool("reset_after", default: true))
      return [result.output, result.state]
    },
    OperationSpec(
      "lstm_peephole",
      inputs: ["input", "h0?", "c0?"]
        + ["i", "f", "o", "c"].flatMap { ["W_\($0)", "U_\($0)", "b_\($0)?"] }
        + ["V_i", "V_f", "V_o"],
      outputs: ["output", "hn", "cn"]
    ) { _, x in
      func gates(_ prefix: String, _ names: [String]) -> [String: Tensor] {
        var result: [String: Tensor] = [:]
        for name in names { result[name] = x.optional("\(prefix)_\(name)") }
        return result
      }
      let result = try x.required("input").lstmPeephole(
        state: x.optional("h0"), cell: x.optional("c0"), w: gates("W", ["i", "f", "o", "c"]),
        u: gates("U", ["i", "f", "o", "c"]), v: gates("V", ["i", "f", "o"]),
        b: gates("b", ["i", "f", "o", "c"]))
      return [result.output, result.state, result.cell]
    },
  ]
}
