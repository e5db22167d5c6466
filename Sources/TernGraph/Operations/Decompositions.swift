import Foundation
import TernCore

// What operations compute, in simpler ones: for devices without kernels of their own for them.

extension Operations.Linear {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let product = try inputs[0].apply(Operations.MatMul(transposesB: true), inputs[1])
    return [inputs.count == 3 ? try product + inputs[2] : product]
  }
}

extension Operations.Softmax {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let shifted = try inputs[0] - inputs[0].amax([axis], keepsAxes: true)
    let powers = try shifted.exp()
    let sum = try powers.sum([axis], keepsAxes: true)
    return [isLogarithmic ? try shifted - sum.log() : try powers / sum]
  }
}

extension Operations.SoftmaxBackward {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let (dy, y) = (inputs[0], inputs[1])
    if isLogarithmic { return [try dy - y.exp() * dy.sum([axis], keepsAxes: true)] }
    return [try y * (dy - (dy * y).sum([axis], keepsAxes: true))]
  }
}

extension Operations.BatchNorm {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let x = inputs[0]
    let axes = (0..<x.shape.rank).filter { $0 != 1 }
    let mean = try x.mean(axes, keepsAxes: true)
    let centered = try x - mean
    let variance = try centered.square().mean(axes, keepsAxes: true)
    let scale =
      try variance.affine(scale: 1, shift: epsilon).rsqrt()
      * inputs[1].alongAxis(1, rank: x.shape.rank)
    let channels = inputs[1].shape
    return [
      try centered * scale + inputs[2].alongAxis(1, rank: x.shape.rank),
      try mean.reshape(channels), try variance.reshape(channels),
    ]
  }
}

extension Operations.BatchNormBackward {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let (dy, x, rank) = (inputs[0], inputs[1], inputs[1].shape.rank)
    let axes = (0..<rank).filter { $0 != 1 }
    let rstd = try inputs[3].affine(scale: 1, shift: epsilon).rsqrt()
    let along = try rstd.alongAxis(1, rank: rank)
    let normalized = try (x - inputs[2].alongAxis(1, rank: rank)) * along
    let sum = try dy.sum(axes, keepsAxes: true)
    let product = try (dy * normalized).sum(axes, keepsAxes: true)
    let share = Float(inputs[4].shape.elementCount) / Float(x.shape.elementCount)
    let rest = try sum.affine(scale: share) + normalized * product.affine(scale: share)
    return [
      try (dy - rest) * (along * inputs[4].alongAxis(1, rank: rank)),
      try product.reshape(inputs[4].shape), try sum.reshape(inputs[4].shape),
    ]
  }
}

extension Operations.NormalizeRows {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let mean = try inputs[0].mean([1], keepsAxes: true)
    let centered = try inputs[0] - mean
    let rstd = try centered.square().mean([1], keepsAxes: true)
      .affine(scale: 1, shift: epsilon).rsqrt()
    let rows = Shape([inputs[0].shape[0]])
    return [try centered * rstd, try mean.reshape(rows), try rstd.reshape(rows)]
  }
}

extension Operations.NormalizeRowsBackward {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let (dy, y) = (inputs[0], inputs[1])
    let rest =
      try dy.mean([1], keepsAxes: true) + y * (dy * y).mean([1], keepsAxes: true)
    return [try (dy - rest) * inputs[2].reshape([y.shape[0], 1])]
  }
}

extension Operations.Attention {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let scores = try Self.scores(inputs[0], inputs[1], isCausal: isCausal, scale: scale)
    let largest = try scores.amax([2], keepsAxes: true)
    let powers = try (scores - largest).exp()
    let sum = try powers.sum([2], keepsAxes: true)
    return [
      try (powers / sum).apply(Operations.MatMul(), inputs[2]),
      try (largest + sum.log()).reshape(Shape(Array(scores.shape.dimensions.dropLast()))),
    ]
  }

  /// What softmax is taken of, [B, L, S].
  fileprivate static func scores(
    _ query: Tensor, _ key: Tensor, isCausal: Bool, scale: Float
  ) throws -> Tensor {
    let scores = try query.apply(Operations.MatMul(transposesB: true), key).affine(scale: scale)
    guard isCausal else { return scores }
    let (rows, columns) = (scores.shape[1], scores.shape[2])
    let mask = (0..<rows * columns).map { $0 % columns > $0 / columns ? -Float.infinity : 0 }
    return try scores + query.builder.constant(HostTensor([rows, columns], mask))
  }
}

extension Operations.AttentionBackward {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    let (dy, query, key, value) = (inputs[0], inputs[1], inputs[2], inputs[3])
    let scores = try Operations.Attention.scores(query, key, isCausal: isCausal, scale: scale)
    let shape = scores.shape
    let weights = try (scores - inputs[5].reshape([shape[0], shape[1], 1])).exp()
    let arriving = try dy.apply(Operations.MatMul(transposesB: true), value)
    let common = try (dy * inputs[4]).sum([2], keepsAxes: true)
    let slopes = try (weights * (arriving - common)).affine(scale: scale)
    return [
      try slopes.apply(Operations.MatMul(), key),
      try slopes.apply(Operations.MatMul(transposesA: true), query),
      try weights.apply(Operations.MatMul(transposesA: true), dy),
    ]
  }
}

extension Operations.OptimizerUpdate {
  package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    guard isGuarded(inputs.count) else { return try updated(inputs) }
    let old = [inputs[0]] + inputs.dropFirst(4)
    return try zip(updated(inputs.dropLast()), old).map(inputs.last!.chooses)
  }

  private func updated(_ inputs: [Tensor]) throws -> [Tensor] {
    let (parameter, rate, state) = (inputs[0], inputs[2], inputs.dropFirst(4).map(\.self))
    func decayed(_ weightDecay: Float) throws -> Tensor {
      weightDecay == 0 ? inputs[1] : try inputs[1] + parameter.affine(scale: weightDecay)
    }
    /// share · state + (1 − share) · x
    func average(_ state: Tensor, _ share: Float, _ x: Tensor) throws -> Tensor {
      try state.affine(scale: share) + x.affine(scale: 1 - share)
    }
    func moved(by direction: Tensor, _ state: Tensor...) throws -> [Tensor] {
      [try parameter - direction * rate] + state
    }
    switch rule {
    case .sgd(let momentum, let isNesterov, let weightDecay):
      let g = try decayed(weightDecay)
      guard momentum != 0 else { return try moved(by: g) }
      let m = try state[0].affine(scale: momentum) + g
      return try moved(by: isNesterov ? g + m.affine(scale: momentum) : m, m)
    case .momentumEMA(let rho):
      let m = try average(state[0], rho, inputs[1])
      return try moved(by: m, m)
    case .normalizedGradient(let epsilon):
      let root = try inputs[1].square().affine(scale: 1, shift: epsilon).sqrt()
      return try moved(by: inputs[1] / root)
    case .adagrad(let epsilon, let weightDecay):
      let g = try decayed(weightDecay)
      let s = try state[0] + g.square()
      return try moved(by: g / s.sqrt().affine(scale: 1, shift: epsilon), s)
    case .rmsprop(let alpha, let epsilon, let momentum, let isCentered, let weightDecay):
      let g = try decayed(weightDecay)
      let s = try average(state[0], alpha, g.square())
      var (variance, results) = (s, [s])
      if isCentered {
        results.append(try average(state[1], alpha, g))
        // Of equal gradients a difference of equal numbers, which must not round below 0.
        variance = try (s - results[1].square()).clamp(min: 0)
      }
      var direction = try g / variance.sqrt().affine(scale: 1, shift: epsilon)
      if momentum != 0 {
        direction = try state[state.count - 1].affine(scale: momentum) + direction
        results.append(direction)
      }
      return try moved(by: direction) + results
    case .adadelta(let rho, let epsilon, let weightDecay):
      let g = try decayed(weightDecay)
      let s = try average(state[0], rho, g.square())
      let ratio =
        try state[1].affine(scale: 1, shift: epsilon).sqrt()
        / s.affine(scale: 1, shift: epsilon).sqrt()
      let delta = try ratio * g
      return try moved(by: delta, s, average(state[1], rho, delta.square()))
    case .adam(let beta1, let beta2, let epsilon, let weightDecay, let isDecoupled):
      let g = isDecoupled ? inputs[1] : try decayed(weightDecay)
      let m = try average(state[0], beta1, g)
      let v = try average(state[1], beta2, g.square())
      let (biasOfM, biasOfV) = (try bias(beta1, inputs[3]), try bias(beta2, inputs[3]))
      let root = try (v / biasOfV).sqrt().affine(scale: 1, shift: epsilon)
      var kept = parameter
      if isDecoupled, weightDecay != 0 {
        kept = try kept - parameter.affine(scale: weightDecay) * rate
      }
      return [try kept - (m / biasOfM) / root * rate, m, v]
    }
  }

  /// 1 − βᵗ: how much of an average that started at zero is there after step t.
  private func bias(_ beta: Float, _ step: Tensor) throws -> Tensor {
    // With u = tanh(x/2), eˣ − 1 is 2u / (1 − u), which keeps its digits where βᵗ = eˣ is near 1.
    let u = try step.cast(to: .float32).affine(scale: Float(log(Double(beta)) / 2)).tanh()
    return try u.affine(scale: -2) / u.affine(scale: -1, shift: 1)
  }
}
