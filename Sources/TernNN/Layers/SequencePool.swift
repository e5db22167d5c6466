import TernCore
import TernGraph

/// One vector of a sequence of which only the first positions count: reads the sequence [N, T, E] and a
/// mask [N, T] of 1 for the positions that count and 0 behind them → [N, E]. A mask [N, T, E] counts
/// element by element.
public struct SequencePool: Layer {
  /// What becomes of the positions that count.
  public enum Mode: String, Hashable, Sendable, CaseIterable {
    /// Their mean.
    case mean
    /// The largest of each element.
    case max
    /// The last of them.
    case last
  }

  package let mode: Mode

  /// Pools in one of the ways.
  public init(_ mode: Mode) { self.mode = mode }

  public var kind: String { "sequence_pool" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    guard inputs.count == 2, inputs[0].shape.rank == 3,
      inputs[1].shape == inputs[0].shape
        || inputs[1].shape.dimensions == Array(inputs[0].shape.dimensions.prefix(2))
    else {
      throw ShapeError(
        kind, "from", expected: "a sequence [N, T, E] and its mask [N, T]",
        got: inputs.map { "\($0.shape)" }.joined(separator: ", "))
    }
    let (x, length) = (inputs[0], inputs[0].shape[1])
    let mask =
      inputs[1].shape.rank == 3 ? inputs[1] : try inputs[1].reshape([x.shape[0], length, 1])
    switch mode {
    case .mean: return try (x * mask).sum([1]) / mask.sum([1]).clamp(min: 1, max: .infinity)
    // What does not count is below all that does.
    case .max: return try (x + mask.affine(scale: 1e30, shift: -1e30)).amax([1])
    case .last:
      // 1 where a position counts and the next does not.
      let next = try mask.narrow(1, start: 1, length: length - 1).pad([0, 0, 0, 1])
      return try (x * (mask - next)).sum([1])
    }
  }
}
