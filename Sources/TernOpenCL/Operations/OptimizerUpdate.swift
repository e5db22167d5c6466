import Foundation
import TernGraph

extension OptimizerUpdate: OpenCLOperation {
  /// The rule in `optimizer/update.cl`: its number, its flags, and its settings p, q, r and the decay.
  private var kernel: (rule: Int, flags: [String], p: Float, q: Float, r: Float, decay: Float) {
    switch rule {
    case .sgd(let momentum, let isNesterov, let decay):
      (0, isNesterov ? ["NESTEROV"] : [], momentum, 0, 0, decay)
    case .momentumEMA(let rho): (1, [], rho, 0, 0, 0)
    case .normalizedGradient(let epsilon): (2, [], 0, epsilon, 0, 0)
    case .adagrad(let epsilon, let decay): (3, [], 0, epsilon, 0, decay)
    case .rmsprop(let alpha, let epsilon, let momentum, let isCentered, let decay):
      (
        4, (isCentered ? ["CENTERED"] : []) + (momentum == 0 ? [] : ["MOMENTUM"]),
        alpha, epsilon, momentum, decay
      )
    case .adadelta(let rho, let epsilon, let decay): (5, [], rho, epsilon, 0, decay)
    case .adam(let beta1, let beta2, let epsilon, let decay, let isDecoupled):
      (6, isDecoupled ? ["DECOUPLED"] : [], beta1, epsilon, beta2, decay)
    }
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let kernel = kernel
    let tensors = x.map(Argument.tensor)
    let vectors = encoder.elementVectors(x[0].count, tensors)
    // Each computes what all elements share; a GPU wants many work-items.
    let perItem = encoder.architecture == .manyThreads ? 4 : 8
    var defines = vectors.defines.merging([
      "RULE": kernel.rule, "STATES": stateNames.count, "VECTORS": perItem,
    ]) { $1 }
    for flag in kernel.flags { defines[flag] = 1 }
    let logarithm = { (x: Float) in x > 0 ? Float(log(Double(x))) : 0 }
    try encoder.map(
      "update", in: "optimizer/update", count: (vectors.count + perItem - 1) / perItem,
      tensors
        + [
          .int(x[0].count), .float(kernel.p), .float(kernel.q), .float(kernel.r),
          .float(kernel.decay), .float(logarithm(kernel.p)), .float(logarithm(kernel.r)),
        ], defines: defines)
  }
}
