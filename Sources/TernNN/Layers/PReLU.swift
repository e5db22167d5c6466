import TernCore
import TernGraph

/// max(x, 0) + a · min(x, 0), where the slope a is learnt: weight [1], or [C] with one per channel
/// (axis 1).
///
/// Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015.
public struct PReLU: Layer {
  /// 1, or the number of channels.
  package let slopeCount: Int
  /// What every slope starts at.
  package let start: Float

  /// So many slopes: 1, or one per channel; all of them begin at `start`.
  public init(_ slopeCount: Int = 1, start: Float = 0.25) {
    self.slopeCount = slopeCount
    self.start = start
  }

  public var kind: String { "prelu" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    guard slopeCount >= 1, start.isFinite else {
      throw ShapeError(
        kind, "num_parameters, init", expected: "at least 1, a number",
        got: "\(slopeCount), \(start)")
    }
    return try inputs[0].prelu(
      weight: context.parameter("weight", [slopeCount], .constant(start)))
  }
}
