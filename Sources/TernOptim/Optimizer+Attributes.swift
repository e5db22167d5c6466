import TernCore

extension Optimizer {
  /// The names that ``init(_:_:)`` knows.
  public static let names = [
    "sgd", "momentum_ema", "normalized_gradient", "adagrad", "rmsprop", "adadelta", "adam", "adamw",
  ]

  /// The optimizer of that name, with PyTorch's attributes and defaults.
  ///
  /// - Throws: ``ShapeError`` naming an attribute that is unknown or out of range.
  package init(_ name: String, _ attributes: inout Attributes) throws {
    func range(
      _ key: String, _ standard: Double, _ valid: (Double) -> Bool, _ expected: String
    ) throws -> Float {
      let value = try attributes.double(key, default: standard)
      guard valid(value) else {
        throw ShapeError(name, key, expected: expected, got: "\(value)")
      }
      return Float(value)
    }
    let atLeastZero = { (x: Double) in x >= 0 && x.isFinite }
    let isFraction = { (x: Double) in x >= 0 && x < 1 }
    func epsilon(_ standard: Double) throws -> Float {
      try range("eps", standard, atLeastZero, "a number of at least 0")
    }
    func decay(_ standard: Double = 0) throws -> Float {
      try range("weight_decay", standard, atLeastZero, "a number of at least 0")
    }
    func fraction(_ key: String, _ standard: Double) throws -> Float {
      try range(key, standard, isFraction, "0 to below 1")
    }
    switch name {
    case "sgd":
      let momentum = try fraction("momentum", 0)
      let isNesterov = try attributes.bool("nesterov", default: false)
      guard !isNesterov || momentum > 0 else {
        throw ShapeError(name, "nesterov", expected: "a momentum above 0", got: "\(momentum)")
      }
      self = .sgd(momentum: momentum, isNesterov: isNesterov, weightDecay: try decay())
    case "momentum_ema": self = .momentumEMA(rho: try fraction("rho", 0.9))
    case "normalized_gradient": self = .normalizedGradient(epsilon: try epsilon(1e-8))
    case "adagrad": self = .adagrad(epsilon: try epsilon(1e-10), weightDecay: try decay())
    case "rmsprop":
      self = .rmsprop(
        alpha: try fraction("alpha", 0.99), epsilon: try epsilon(1e-8),
        momentum: try fraction("momentum", 0),
        isCentered: try attributes.bool("centered", default: false), weightDecay: try decay())
    case "adadelta":
      self = .adadelta(
        rho: try fraction("rho", 0.9), epsilon: try epsilon(1e-6), weightDecay: try decay())
    case "adam", "adamw":
      let betas = try attributes.doubles("betas", count: 2, default: [0.9, 0.999])
      guard betas.allSatisfy(isFraction) else {
        throw ShapeError(name, "betas", expected: "0 to below 1", got: "\(betas)")
      }
      self = Optimizer(
        .adam(
          beta1: Float(betas[0]), beta2: Float(betas[1]), epsilon: try epsilon(1e-8),
          weightDecay: try decay(name == "adamw" ? 0.01 : 0), isDecoupled: name == "adamw"))
    default:
      let hint = EditDistance.nearest(to: name, among: Self.names).map { "did you mean '\($0)'?" }
      throw TernError(
        .usage,
        "unknown optimizer '\(name)'; "
          + (hint ?? "known are \(Self.names.joined(separator: ", "))"))
    }
  }
}
