import Tern

extension OpCase {
  private static func optimizer(
    _ name: String, _ label: String, _ attributes: [String: AttributeValue]
  ) -> [OpCase] {
    ([("", [3, 5]), ("-scalar", []), ("-large", [71, 1009])] as [(String, Shape)]).map {
      suffix, shape in
      var inputs = ["parameter": Input(shape)]
      for step in 0..<4 { inputs["gradient.\(step)"] = Input(shape) }
      return OpCase("optimizer.\(name)", label + suffix, attributes, inputs)
    }
  }

  static let optimizers: [OpCase] =
    optimizer("sgd", "plain", ["lr": .double(0.05)])
    + optimizer(
      "sgd", "momentum",
      ["lr": .double(0.05), "momentum": .double(0.9), "weight_decay": .double(0.01)])
    + optimizer(
      "sgd", "nesterov",
      ["lr": .double(0.05), "momentum": .double(0.8), "nesterov": .bool(true)])
    + optimizer("momentum_ema", "basic", ["lr": .double(0.05), "rho": .double(0.9)])
    + optimizer("normalized_gradient", "basic", ["lr": .double(0.05)])
    + optimizer("adagrad", "basic", ["lr": .double(0.05)])
    + optimizer("adagrad", "decay", ["lr": .double(0.05), "weight_decay": .double(0.1)])
    + optimizer("rmsprop", "basic", ["lr": .double(0.05)])
    + optimizer(
      "rmsprop", "centered",
      [
        "lr": .double(0.05), "alpha": .double(0.9), "momentum": .double(0.5),
        "centered": .bool(true),
      ])
    + optimizer("adadelta", "basic", ["lr": .double(1)])
    + optimizer("adam", "basic", ["lr": .double(0.05)])
    + optimizer(
      "adam", "decay",
      [
        "lr": .double(0.05), "betas": .list([.double(0.8), .double(0.99)]),
        "weight_decay": .double(0.05),
      ])
    + optimizer("adamw", "basic", ["lr": .double(0.05), "weight_decay": .double(0.1)])
}
