import Foundation
import TernGraph

extension Operations.OptimizerUpdate: OpenCLOperation {
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

  /// How many parameters a launch may update, where threads are many; the kernel's TOGETHER.
  ///
  /// - Parameter sharedCount: the tensors that all of them read: learning rate, step, and maybe more.
  func mostTogether(sharedCount: Int) -> Int {
    Together.mostPlaces(
      tensors: 2 + stateNames.count, beside: 16 * sharedCount + 6 * 4)
  }
  /// The work-items of a parameter are a multiple of this; the kernel's SPAN.
  private static let span = 64

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encode([x], in: encoder)
  }

  /// Appends the update of several parameters, at one learning rate and step.
  ///
  /// - Parameters:
  ///   - parameters: the inputs of each.
  ///   - scale: what all gradients are multiplied by, if they are.
  func encode(_ parameters: [[View]], scale: View? = nil, in encoder: StepEncoder) throws {
    let kernel = kernel
    let isManyThreads = encoder.architecture == .manyThreads
    let isGuarded = isGuarded(parameters[0].count)
    let sharedCount = 2 + (isGuarded ? 1 : 0) + (scale == nil ? 0 : 1)
    let together = isManyThreads ? mostTogether(sharedCount: sharedCount) : 1
    precondition((1...together).contains(parameters.count))
    let tensors = parameters.joined().map(Argument.tensor)
    // Each computes what all elements share; a GPU wants many work-items.
    let perItem = isManyThreads ? 4 : 8
    var defines = encoder.elementVectors(0, tensors).defines.merging([
      "RULE": kernel.rule, "STATES": stateNames.count, "VECTORS": perItem, "TOGETHER": together,
    ]) { $1 }
    for flag in kernel.flags { defines[flag] = 1 }
    var arguments: [Argument] = [.tensor(parameters[0][2]), .tensor(parameters[0][3])]
    if isGuarded {
      defines["GUARDED"] = 1
      arguments.append(.tensor(parameters[0].last!))
    }
    if let scale {
      defines["SCALED"] = 1
      arguments.append(.tensor(scale))
    }
    var itemCount = 0
    for index in 0..<together {
      // Places that are left have no work-items.
      let isThere = index < parameters.count
      let x = parameters[isThere ? index : 0]
      arguments += [.int(itemCount), .int(isThere ? x[0].count : 0), .tensor(x[0]), .tensor(x[1])]
      arguments += x[4..<4 + stateNames.count].map(Argument.tensor)
      guard isThere else { continue }
      let items = (encoder.elementVectors(x[0].count, tensors).count + perItem - 1) / perItem
      itemCount += (items + Self.span - 1) / Self.span * Self.span
    }
    let logarithm = { (x: Float) in x > 0 ? Float(log(Double(x))) : 0 }
    encoder.groups(
      "update", in: "optimizer/update", upTo: Self.span,
      arguments + [
        .float(kernel.p), .float(kernel.q), .float(kernel.r), .float(kernel.decay),
        .float(logarithm(kernel.p)), .float(logarithm(kernel.r)),
      ], defines: defines
    ) { [itemCount] size in (itemCount / size, [:]) }
  }
}

extension Operations.ScaledUpdate: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try update.encode([x.dropLast()], scale: x.last!, in: encoder)
  }
}
