import Foundation
import TernGraph
import TernOptim

/// Adam, after which what is no pixel any more becomes the nearest one: values stay in [0, 1].
///
/// The averages' bias is in the learning rate, see ``rate(_:step:)``.
struct PictureAdam: OptimizerRule {
  private static let (beta1, beta2) = (0.9, 0.999)

  var name: String { "picture_adam" }
  var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

  /// The rate of a step, counted from 1, in which the averages have been corrected for their start at 0.
  static func rate(_ rate: Double, step: Int) -> Double {
    rate * (1 - pow(beta2, Double(step))).squareRoot() / (1 - pow(beta1, Double(step)))
  }

  func step(_ p: OptimizerStep) throws -> OptimizerStep.Result {
    func averaged(_ old: Tensor, _ new: Tensor, _ beta: Double) throws -> Tensor {
      try old.affine(scale: Float(beta)) + new.affine(scale: Float(1 - beta))
    }
    let mean = try averaged(p.state[0], p.gradient, Self.beta1)
    let square = try averaged(p.state[1], p.gradient.square(), Self.beta2)
    let direction = try mean / square.sqrt().affine(scale: 1, shift: 1e-8)
    return OptimizerStep.Result(
      parameter: try (p.parameter - direction * p.learningRate).clamp(min: 0, max: 1),
      state: [mean, square])
  }
}
