import TernGraph
import TernOptim

/// L-BFGS, after which what is no pixel any more becomes the nearest one: values stay in [0, 1].
///
/// With s and y the changes of picture and gradient over each of the last steps, the direction is −H g by the
/// two-loop recursion; a change without positive curvature, s·y ≤ 0, is left out. There is no line search: a
/// step is the direction times the learning rate, and its root mean square at most ``largestStep``, which is
/// also how long the first step is, that knows nothing of curvature.
///
/// Source: Nocedal, "Updating quasi-Newton matrices with limited storage", 1980.
package struct PictureLBFGS: OptimizerRule {
  /// How many changes are kept besides the newest.
  private let historyCount: Int
  /// In units of pixels, which are in [0, 1].
  private let largestStep: Float = 0.02

  package init(historyCount: Int = 9) { self.historyCount = historyCount }

  package var name: String { "picture_lbfgs" }
  package var stateNames: [String] {
    ["previous", "previous_gradient", "is_begun"]
      + (0..<historyCount).flatMap { ["picture_change_\($0)", "gradient_change_\($0)"] }
  }

  /// A change of the picture and of its gradient; 1 / s·y, 0 where it is left out; whether it is kept.
  private struct Change {
    let picture, gradient, inverse, isKept: Tensor

    init(_ picture: Tensor, _ gradient: Tensor) throws {
      self.picture = picture
      self.gradient = gradient
      let product = try (picture * gradient).sum()
      isKept = try product.affine(scale: 1, shift: -1e-12).sign().clamp(min: 0)
      inverse = try isKept / (product * isKept + isKept.affine(scale: -1, shift: 1))
    }
  }

  package func step(_ p: OptimizerStep) throws -> OptimizerStep.Result {
    let isBegun = p.state[2]
    let latest = try (
      (p.parameter - p.state[0]) * isBegun, (p.gradient - p.state[1]) * isBegun
    )
    let older = stride(from: 3, to: p.state.count, by: 2).map { (p.state[$0], p.state[$0 + 1]) }
    let pairs = [latest] + older
    let changes = try pairs.map { try Change($0.0, $0.1) }

    var direction = p.gradient
    var factors: [Tensor] = []
    for change in changes {
      let factor = try (change.picture * direction).sum() * change.inverse
      direction = try direction - change.gradient * factor
      factors.append(factor)
    }
    // The scale of the inverse curvature, s·y / y·y of the newest change; 1 where that is left out.
    let newest = changes[0]
    let square = try newest.gradient.square().sum()
    let isLeftOut = try newest.isKept.affine(scale: -1, shift: 1)
    let scale =
      try (newest.picture * newest.gradient).sum() * newest.isKept / (square + isLeftOut)
      + isLeftOut
    direction = try direction * scale
    for (change, factor) in zip(changes, factors).reversed() {
      let other = try (change.gradient * direction).sum() * change.inverse
      direction = try direction + change.picture * (factor - other)
    }

    direction = try direction * p.learningRate
    let length = try direction.square().mean().sqrt().affine(scale: 1, shift: 1e-30)
    // Where nothing is known of curvature yet, the gradient's length says nothing of the step's.
    let whole = try length.reciprocal().affine(scale: largestStep)
    let part = try newest.isKept * whole.clamp(max: 1) + isLeftOut * whole
    let history = pairs.prefix(historyCount).flatMap { [$0.0, $0.1] }
    return OptimizerStep.Result(
      parameter: try (p.parameter - direction * part).clamp(min: 0, max: 1),
      state: [p.parameter, p.gradient, try p.gradient.affine(scale: 0, shift: 1)] + history)
  }
}
