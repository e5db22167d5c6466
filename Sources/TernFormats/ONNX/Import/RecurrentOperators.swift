import TernCore
import TernGraph

extension ONNXOperators {
  static let recurrent: [String: ONNXOperator] = [
    "RNN": .device { call in
      try Recurrence(call, gates: 1).run { cell, h, _, x in
        let y = try cell.activations[0](x + cell.recurrent(h, 0))
        return (y, nil)
      }
    },
    "GRU": .device { call in
      let resetsAfter = try call.flag("linear_before_reset")
      return try Recurrence(call, gates: 3).run { cell, h, _, x in
        // Gates packed z, r, h.
        let (f, g) = (cell.activations[0], cell.activations[1])
        let z = try f(cell.part(x, 0) + cell.recurrent(h, 0))
        let r = try f(cell.part(x, 1) + cell.recurrent(h, 1))
        let candidate = try resetsAfter ? r * cell.recurrent(h, 2) : cell.recurrent(r * h, 2)
        let n = try g(cell.part(x, 2) + candidate)
        return (try n + z * (h - n), nil)
      }
    },
    "LSTM": .device { call in
      guard try !call.flag("input_forget") else { throw ONNXFault.unsupported("with input_forget") }
      return try Recurrence(call, gates: 4).run { cell, h, c, x in
        // Gates packed i, o, f, c; peepholes i, o, f.
        let (f, g, out) = (cell.activations[0], cell.activations[1], cell.activations[2])
        let before = c!
        let i = try f(cell.part(x, 0) + cell.recurrent(h, 0) + cell.peephole(0, before))
        let forget = try f(cell.part(x, 2) + cell.recurrent(h, 2) + cell.peephole(2, before))
        let candidate = try g(cell.part(x, 3) + cell.recurrent(h, 3))
        let after = try forget * before + i * candidate
        let o = try f(cell.part(x, 1) + cell.recurrent(h, 1) + cell.peephole(1, after))
        return (try o * out(after), after)
      }
    },
  ]
}

/// The weights of one direction of a recurrent node.
private struct RecurrentCell {
  let hidden: Int
  let weight: Tensor
  let recurrentWeight: Tensor
  let recurrentBias: Tensor?
  let peepholes: Tensor?
  let activations: [(Tensor) throws -> Tensor]

  func part(_ x: Tensor, _ gate: Int) throws -> Tensor {
    try x.narrow(1, start: gate * hidden, length: hidden)
  }

  func recurrent(_ h: Tensor, _ gate: Int) throws -> Tensor {
    try h.linear(
      weight: recurrentWeight.narrow(0, start: gate * hidden, length: hidden),
      bias: recurrentBias?.narrow(0, start: gate * hidden, length: hidden))
  }

  func peephole(_ gate: Int, _ cell: Tensor) throws -> Tensor {
    guard let peepholes else { return cell.builder.constant(0) }
    return try cell * peepholes.narrow(0, start: gate * hidden, length: hidden)
  }
}

/// A recurrent node: its directions, its steps, and how its results are arranged.
private struct Recurrence {
  typealias Step = (RecurrentCell, _ h: Tensor, _ c: Tensor?, _ x: Tensor) throws -> (
    Tensor, Tensor?
  )

  let call: ONNXCall
  let gates: Int
  let input: Tensor
  let directions: Int
  let isReversed: Bool
  let isBatchFirst: Bool

  init(_ call: ONNXCall, gates: Int) throws {
    (self.call, self.gates) = (call, gates)
    isBatchFirst = try call.int("layout", 0) == 1
    let x = try call.tensor(0)
    guard x.shape.rank == 3 else { throw ONNXFault.invalid("on an input of \(x.shape)") }
    input = isBatchFirst ? try x.transpose(0, 1) : x
    let direction = try call.string("direction", "forward")
    directions = direction == "bidirectional" ? 2 : 1
    isReversed = direction == "reverse"
    guard call.node.attributes["clip"] == nil else { throw ONNXFault.unsupported("with a clip") }
    if let lengths = try call.integers(4), lengths.contains(where: { $0 != input.shape[0] }) {
      throw ONNXFault.unsupported("with sequences of unequal lengths")
    }
    guard input.shape[0] <= 4096 else { throw ONNXFault.unsupported("of \(input.shape[0]) steps") }
  }

  private func activation(_ name: String) throws -> (Tensor) throws -> Tensor {
    switch name.lowercased() {
    case "sigmoid": { try $0.sigmoid() }
    case "tanh": { try $0.tanh() }
    case "relu": { try $0.relu() }
    case "softsign": { try $0 / $0.abs().affine(scale: 1, shift: 1) }
    case "softplus": { try $0.softplus() }
    default: throw ONNXFault.unsupported("with the activation \(name)")
    }
  }

  /// The part of a packed tensor [D, …] that belongs to a direction.
  private func part(_ packed: Tensor, _ direction: Int) throws -> Tensor {
    try packed.narrow(0, start: direction, length: 1).reshape(
      Shape(Array(packed.shape.dimensions.dropFirst())))
  }

  private func cell(_ direction: Int) throws -> RecurrentCell {
    let weight = try part(call.weight(1), direction)
    let recurrent = try part(call.weight(2), direction)
    guard weight.shape.rank == 2, recurrent.shape.rank == 2, weight.shape[0] % gates == 0 else {
      throw ONNXFault.invalid("weights of \(weight.shape) and \(recurrent.shape)")
    }
    let hidden = weight.shape[0] / gates
    let bias = try call.optionalWeight(3).map { try part($0, direction) }
    let standard =
      gates == 1 ? ["Tanh"] : gates == 3 ? ["Sigmoid", "Tanh"] : ["Sigmoid", "Tanh", "Tanh"]
    let names = try call.strings("activations") ?? []
    let own =
      names.count >= standard.count * (direction + 1)
      ? Array(names[(standard.count * direction)..<(standard.count * (direction + 1))]) : standard
    return RecurrentCell(
      hidden: hidden, weight: weight, recurrentWeight: recurrent,
      recurrentBias: try bias?.narrow(0, start: gates * hidden, length: gates * hidden),
      peepholes: try gates == 4 ? call.optionalWeight(7).map { try part($0, direction) } : nil,
      activations: try own.map(activation))
  }

  /// The state [D, N, H] that a direction starts from.
  private func start(_ index: Int, _ direction: Int, _ hidden: Int) throws -> Tensor {
    let shape: Shape = [input.shape[1], hidden]
    guard call.has(index) else { return try call.number(0).expand(shape) }
    let given = try call.rebatched(index, axis: isBatchFirst ? 0 : 1)
    return try part(isBatchFirst ? given.transpose(0, 1) : given, direction)
  }

  func run(_ step: Step) throws -> [ONNXValue] {
    var (outputs, states, cells) = ([Tensor](), [Tensor](), [Tensor]())
    let steps = input.shape[0]
    for direction in 0..<directions {
      let cell = try cell(direction)
      let bias = try call.optionalWeight(3).map { try part($0, direction) }
      let projected = try input.linear(
        weight: cell.weight, bias: bias?.narrow(0, start: 0, length: gates * cell.hidden))
      var h = try start(5, direction, cell.hidden)
      var c: Tensor? = gates == 4 ? try start(6, direction, cell.hidden) : nil
      var row = [Tensor?](repeating: nil, count: steps)
      let isBackward = isReversed || direction == 1
      for index in 0..<steps {
        let t = isBackward ? steps - 1 - index : index
        let x = try projected.narrow(0, start: t, length: 1).reshape([
          input.shape[1], gates * cell.hidden,
        ])
        (h, c) = try step(cell, h, c, x)
        row[t] = h
      }
      // [T, 1, N, H]
      let flat = try row.map { try $0!.reshape([1, 1, input.shape[1], cell.hidden]) }
      outputs.append(try Tensor.cat(flat, dim: 0))
      states.append(try h.reshape([1, input.shape[1], cell.hidden]))
      if let c { cells.append(try c.reshape([1, input.shape[1], cell.hidden])) }
    }
    let type = try call.type(0)
    let y = try Tensor.cat(outputs, dim: 1)
    func arranged(_ parts: [Tensor]) throws -> ONNXValue {
      let all = try Tensor.cat(parts, dim: 0)
      return .device(isBatchFirst ? try all.transpose(0, 1) : all, type)
    }
    var results: [ONNXValue] = [
      .device(isBatchFirst ? try y.permute([2, 0, 1, 3]) : y, type), try arranged(states),
    ]
    if !cells.isEmpty { results.append(try arranged(cells)) }
    return results
  }
}
