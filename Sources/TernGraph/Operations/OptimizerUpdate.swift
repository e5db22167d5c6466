import TernCore

extension Operations {
  /// One step of an optimizer on one parameter, written over the parameter and its state.
  ///
  /// Inputs: parameter, gradient, learning rate [], step [] (int32, counted from 1), then the state
  /// tensors, each of the parameter's shape; and maybe a scalar []: where it is 0 nothing changes. Outputs: the parameter and the state after the step.
  /// The formulas are PyTorch's; p parameter, g gradient, η learning rate.
  package struct OptimizerUpdate: Operation {
    package enum Rule: Hashable, Sendable {
      /// g += λp; m ← μm + g; p −= η·m, with Nesterov p −= η·(g + μm). State: m where μ ≠ 0.
      case sgd(momentum: Float, isNesterov: Bool, weightDecay: Float)
      /// m ← ρm + (1 − ρ)g; p −= η·m. State: m.
      case momentumEMA(rho: Float)
      /// p −= η·g/√(g² + ε), element by element. No state.
      case normalizedGradient(epsilon: Float)
      /// g += λp; s ← s + g²; p −= η·g/(√s + ε). State: s. Duchi, Hazan, Singer, 2011.
      case adagrad(epsilon: Float, weightDecay: Float)
      /// s ← αs + (1 − α)g²; centred: a ← αa + (1 − α)g, s − a² in place of s; d = g/(√s + ε);
      /// m ← μm + d. State: s, then a if centred, then m where μ ≠ 0. Tieleman and Hinton, 2012.
      case rmsprop(
        alpha: Float, epsilon: Float, momentum: Float, isCentered: Bool, weightDecay: Float)
      /// s ← ρs + (1 − ρ)g²; d = √(u + ε)/√(s + ε)·g; u ← ρu + (1 − ρ)d². State: s, u. Zeiler, 2012.
      case adadelta(rho: Float, epsilon: Float, weightDecay: Float)
      /// m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p −= η·m̂/(√v̂ + ε). State: m, v. Decay is added
      /// to the gradient, or with `isDecoupled` taken off the parameter: p −= η·λ·p.
      /// Kingma and Ba, 2015; Loshchilov and Hutter, 2019.
      case adam(beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, isDecoupled: Bool)

      /// The same rule with its weight decay multiplied.
      package func scalingDecay(by factor: Float) -> Rule {
        switch self {
        case .sgd(let momentum, let isNesterov, let decay):
          .sgd(momentum: momentum, isNesterov: isNesterov, weightDecay: factor * decay)
        case .momentumEMA, .normalizedGradient: self
        case .adagrad(let epsilon, let decay):
          .adagrad(epsilon: epsilon, weightDecay: factor * decay)
        case .rmsprop(let alpha, let epsilon, let momentum, let isCentered, let decay):
          .rmsprop(
            alpha: alpha, epsilon: epsilon, momentum: momentum, isCentered: isCentered,
            weightDecay: factor * decay)
        case .adadelta(let rho, let epsilon, let decay):
          .adadelta(rho: rho, epsilon: epsilon, weightDecay: factor * decay)
        case .adam(let beta1, let beta2, let epsilon, let decay, let isDecoupled):
          .adam(
            beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: factor * decay,
            isDecoupled: isDecoupled)
        }
      }
    }

    package let rule: Rule

    package init(_ rule: Rule) { self.rule = rule }

    package var name: String {
      switch rule {
      case .sgd: "sgd"
      case .momentumEMA: "momentum_ema"
      case .normalizedGradient: "normalized_gradient"
      case .adagrad: "adagrad"
      case .rmsprop: "rmsprop"
      case .adadelta: "adadelta"
      case .adam(_, _, _, _, let isDecoupled): isDecoupled ? "adamw" : "adam"
      }
    }

    /// The names of the state tensors; each starts at zero.
    package var stateNames: [String] {
      switch rule {
      case .sgd(let momentum, _, _): momentum == 0 ? [] : ["momentum_buffer"]
      case .momentumEMA: ["momentum_buffer"]
      case .normalizedGradient: []
      case .adagrad: ["sum"]
      case .rmsprop(_, _, let momentum, let isCentered, _):
        ["square_avg"] + (isCentered ? ["grad_avg"] : [])
          + (momentum == 0 ? [] : ["momentum_buffer"])
      case .adadelta: ["square_avg", "acc_delta"]
      case .adam: ["exp_avg", "exp_avg_sq"]
      }
    }

    package var detail: String { "\(rule)" }

    /// Whether one of so many inputs says if anything changes at all.
    package func isGuarded(_ inputCount: Int) -> Bool { inputCount > 4 + stateNames.count }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, (4 + stateNames.count)...(5 + stateNames.count))
      try expectShape(inputs[1], inputs[0].shape, "gradient")
      try expectShape(inputs[2], [], "learning rate")
      try expectInteger(inputs[3], "step")
      for (type, name) in zip(inputs.dropFirst(4), stateNames) {
        try expectShape(type, inputs[0].shape, name)
      }
      if isGuarded(inputs.count) { try expectShape(inputs[4 + stateNames.count], [], "applies") }
      return [inputs[0]] + inputs[4..<4 + stateNames.count]
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      .elementwise(inputs, outputs, flopsPerElement: 6)
    }

    package var inPlacePairs: [InPlacePair] {
      [InPlacePair(output: 0, input: 0, required: true)]
        + stateNames.indices.map { InPlacePair(output: 1 + $0, input: 4 + $0, required: true) }
    }
  }
}
