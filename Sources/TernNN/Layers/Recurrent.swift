import TernCore
import TernGraph

/// A recurrent network over a sequence: [N, T, I] → [N, T, H], or the last step alone, [N, H].
///
/// The state starts at zero. Parameters of ``Cell/elman``, ``Cell/lstm`` and ``Cell/gru(resetsAfter:)``
/// have PyTorch's names and packing, a suffix per layer: `weight_ih_l0` [gates·H, I], `weight_hh_l0`
/// [gates·H, H], `bias_ih_l0`, `bias_hh_l0` [gates·H]; those of ``Cell/lstmPeephole`` are called
/// `W_i_l0` [H, I], `U_i_l0` [H, H], `V_i_l0` [H], `b_i_l0` [H] and so on for the gates f, o and the
/// candidate c. All start at U(−1/√H, 1/√H), as PyTorch's do.
public struct Recurrent: Layer {
  /// What is computed in a step, from the input x and the state h.
  public enum Cell: Hashable, Sendable {
    /// h ← tanh(W x + b + U h + c). Elman, 1990.
    case elman
    /// Hochreiter and Schmidhuber, 1997.
    case lstm
    /// An LSTM whose gates also see the cell. Gers and Schmidhuber, 2000.
    case lstmPeephole
    /// Cho et al., 2014. With `resetsAfter` the reset gate is applied to the recurrent product, as
    /// PyTorch does; without, to the state before the product, as in the paper.
    case gru(resetsAfter: Bool)
  }

  package let cell: Cell
  package let hiddenSize: Int
  /// Networks one on top of the other.
  package let layerCount: Int
  package let hasBias: Bool
  /// Whether all steps are the output, or only the last.
  package let returnsSequence: Bool

  /// Cells one above the other.
  ///
  /// - Parameters:
  ///   - hiddenSize: H, the numbers of the state.
  ///   - layerCount: how many cells; each reads the states of the one below.
  ///   - returnsSequence: whether all steps are the output, [N, T, H], or only the last, [N, H].
  public init(
    _ cell: Cell, hiddenSize: Int, layerCount: Int = 1, hasBias: Bool = true,
    returnsSequence: Bool = false
  ) {
    self.cell = cell
    self.hiddenSize = hiddenSize
    self.layerCount = layerCount
    self.hasBias = hasBias
    self.returnsSequence = returnsSequence
  }

  public var kind: String {
    switch cell {
    case .elman: "rnn_tanh"
    case .lstm: "lstm"
    case .lstmPeephole: "lstm_peephole"
    case .gru: "gru"
    }
  }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    guard x.shape.rank == 3 else {
      throw ShapeError(kind, "input", expected: "shape [N, T, I]", got: "\(x.shape)")
    }
    guard hiddenSize >= 1, (1...1000).contains(layerCount) else {
      throw ShapeError(
        kind, "hidden_size, num_layers", expected: "at least 1, 1 to 1000",
        got: "\(hiddenSize), \(layerCount)")
    }
    var sequence = try x.transpose(0, 1)
    var state = sequence
    for layer in 0..<layerCount {
      (sequence, state) = try run(sequence, layer: layer, in: context)
    }
    return returnsSequence ? try sequence.transpose(0, 1) : state
  }

  /// [T, N, I] → [T, N, H] and the last step [N, H].
  private func run(
    _ x: Tensor, layer: Int, in context: LayerContext
  ) throws -> (output: Tensor, state: Tensor) {
    let start = Initializer.inverseSqrt(fanIn: hiddenSize)
    func parameter(_ name: String, _ shape: Shape) throws -> Tensor {
      try context.parameter("\(name)_l\(layer)", shape, start)
    }
    if cell == .lstmPeephole {
      var (w, u, v, b) = (
        [String: Tensor](), [String: Tensor](), [String: Tensor](), [:] as [String: Tensor]
      )
      for gate in ["i", "f", "o", "c"] {
        w[gate] = try parameter("W_\(gate)", [hiddenSize, x.shape[2]])
        u[gate] = try parameter("U_\(gate)", [hiddenSize, hiddenSize])
        if gate != "c" { v[gate] = try parameter("V_\(gate)", [hiddenSize]) }
        if hasBias { b[gate] = try parameter("b_\(gate)", [hiddenSize]) }
      }
      let result = try x.lstmPeephole(w: w, u: u, v: v, b: b)
      return (result.output, result.state)
    }
    let rows = gateCount * hiddenSize
    let weightIH = try parameter("weight_ih", [rows, x.shape[2]])
    let weightHH = try parameter("weight_hh", [rows, hiddenSize])
    let biasIH = hasBias ? try parameter("bias_ih", [rows]) : nil
    let biasHH = hasBias ? try parameter("bias_hh", [rows]) : nil
    switch cell {
    case .gru(let resetsAfter):
      return try x.gru(
        weightIH: weightIH, weightHH: weightHH, biasIH: biasIH, biasHH: biasHH,
        resetsAfter: resetsAfter)
    case .lstm:
      let result = try x.lstm(
        weightIH: weightIH, weightHH: weightHH, biasIH: biasIH,
        biasHH: biasHH)
      return (result.output, result.state)
    case .elman, .lstmPeephole:
      return try x.rnnTanh(
        weightIH: weightIH, weightHH: weightHH, biasIH: biasIH, biasHH: biasHH)
    }
  }

  /// The rows of the packed weights per hidden unit.
  private var gateCount: Int {
    switch cell {
    case .elman: 1
    case .gru: 3
    case .lstm, .lstmPeephole: 4
    }
  }
}
