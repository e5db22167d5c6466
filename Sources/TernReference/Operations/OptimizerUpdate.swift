import Foundation
import TernGraph

extension Operations.OptimizerUpdate: ReferenceOperation {
  /// p, g, η [], step [], state… → p, state…; the outputs stand where the inputs did.
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let update = updating(inputs, outputs)
    guard isGuarded(inputs.count) else { return update }
    return { if inputs.last![0] != 0 { try update() } }
  }

  private func updating(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (gradient, learningRate, step) = (inputs[1], inputs[2], inputs[3])
    let p = outputs[0]
    let state = Array(outputs.dropFirst())

    /// Runs `body` for every element, with its gradient and the learning rate.
    func forEachElement(
      weightDecay: Float = 0, _ body: @escaping (_ i: Int, _ g: Double, _ rate: Double) -> Void
    ) -> Kernel {
      let decay = Double(weightDecay)
      return {
        let rate = learningRate[0]
        for i in 0..<p.count {
          body(i, decay == 0 ? gradient[i] : gradient[i] + decay * p[i], rate)
        }
      }
    }

    switch rule {
    case .sgd(let momentum, let isNesterov, let weightDecay):
      guard momentum != 0 else {
        return forEachElement(weightDecay: weightDecay) { i, g, rate in p[i] -= rate * g }
      }
      let (m, momentum) = (state[0], Double(momentum))
      return forEachElement(weightDecay: weightDecay) { i, g, rate in
        m[i] = momentum * m[i] + g
        p[i] -= rate * (isNesterov ? g + momentum * m[i] : m[i])
      }

    case .momentumEMA(let rho):
      let (m, rho) = (state[0], Double(rho))
      return forEachElement { i, g, rate in
        m[i] = rho * m[i] + (1 - rho) * g
        p[i] -= rate * m[i]
      }

    case .normalizedGradient(let epsilon):
      let epsilon = Double(epsilon)
      return forEachElement { i, g, rate in p[i] -= rate * g / (g * g + epsilon).squareRoot() }

    case .adagrad(let epsilon, let weightDecay):
      let (s, epsilon) = (state[0], Double(epsilon))
      return forEachElement(weightDecay: weightDecay) { i, g, rate in
        s[i] += g * g
        p[i] -= rate * g / (s[i].squareRoot() + epsilon)
      }

    case .rmsprop(let alpha, let epsilon, let momentum, let isCentered, let weightDecay):
      let (s, alpha, epsilon, momentum) = (
        state[0], Double(alpha), Double(epsilon), Double(momentum)
      )
      let average = isCentered ? state[1] : nil
      let m = momentum == 0 ? nil : state[state.count - 1]
      return forEachElement(weightDecay: weightDecay) { i, g, rate in
        s[i] = alpha * s[i] + (1 - alpha) * g * g
        var variance = s[i]
        if let average {
          average[i] = alpha * average[i] + (1 - alpha) * g
          // Of equal gradients a difference of equal numbers, which must not round below 0.
          variance -= average[i] * average[i]
          if variance < 0 { variance = 0 }
        }
        var direction = g / (variance.squareRoot() + epsilon)
        if let m {
          m[i] = momentum * m[i] + direction
          direction = m[i]
        }
        p[i] -= rate * direction
      }

    case .adadelta(let rho, let epsilon, let weightDecay):
      let (s, u, rho, epsilon) = (state[0], state[1], Double(rho), Double(epsilon))
      return forEachElement(weightDecay: weightDecay) { i, g, rate in
        s[i] = rho * s[i] + (1 - rho) * g * g
        let delta = (u[i] + epsilon).squareRoot() / (s[i] + epsilon).squareRoot() * g
        u[i] = rho * u[i] + (1 - rho) * delta * delta
        p[i] -= rate * delta
      }

    case .adam(let beta1, let beta2, let epsilon, let weightDecay, let isDecoupled):
      let (m, v) = (state[0], state[1])
      let (beta1, beta2, epsilon) = (Double(beta1), Double(beta2), Double(epsilon))
      let decoupledDecay = isDecoupled ? Double(weightDecay) : 0
      return forEachElement(weightDecay: isDecoupled ? 0 : weightDecay) { i, g, rate in
        let t = step[0]
        m[i] = beta1 * m[i] + (1 - beta1) * g
        v[i] = beta2 * v[i] + (1 - beta2) * g * g
        let unbiasedM = m[i] / (1 - pow(beta1, t))
        let unbiasedV = v[i] / (1 - pow(beta2, t))
        p[i] -= rate * decoupledDecay * p[i]
        p[i] -= rate * unbiasedM / (unbiasedV.squareRoot() + epsilon)
      }
    }
  }
}
