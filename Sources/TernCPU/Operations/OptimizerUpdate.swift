import Foundation
import TernCore
import TernGraph

extension OptimizerUpdate: CPUOperation {
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    // Everything follows the parameter; where that is padded, zeros stay zeros because they meet
    // zero gradients.
    let layout = request.inputs[0].layout
    let state = stateNames.map { _ in layout }
    return LayoutAssignment(
      inputs: [layout, layout, .dense, .dense] + state, outputs: [layout] + state)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[0].storedCount
    return Lowering { addresses in
      let arguments = UpdateArguments(
        count: count, gradient: addresses.input(1), learningRate: addresses.input(2),
        step: addresses.integerInput(3), parameter: addresses.output(0),
        state: stateNames.indices.map { addresses.output(1 + $0) })
      return arguments.step(rule, context.threads)
    }
  }
}

/// What an update reads and writes. Parameter and state are updated in place.
private struct UpdateArguments {
  let count: Int
  let gradient: UnsafePointer<Float>
  let learningRate: UnsafePointer<Float>
  let step: UnsafePointer<Int32>
  let parameter: UnsafeMutablePointer<Float>
  let state: [UnsafeMutablePointer<Float>]

  func step(_ rule: OptimizerUpdate.Rule, _ threads: Threads) -> Step {
    switch rule {
    case .sgd(let momentum, let isNesterov, let decay):
      return momentum == 0
        ? sgd(threads, decay) : sgd(threads, decay, momentum: momentum, isNesterov)
    case .momentumEMA(let rho): return momentumEMA(threads, rho)
    case .normalizedGradient(let epsilon): return normalizedGradient(threads, epsilon)
    case .adagrad(let epsilon, let decay): return adagrad(threads, epsilon, decay)
    case .rmsprop(let alpha, let epsilon, let momentum, let isCentered, let decay):
      return rmsprop(threads, alpha, epsilon, momentum, isCentered, decay)
    case .adadelta(let rho, let epsilon, let decay): return adadelta(threads, rho, epsilon, decay)
    case .adam(let beta1, let beta2, let epsilon, let decay, let isDecoupled):
      return adam(threads, beta1, beta2, epsilon, decay, isDecoupled)
    }
  }

  private func sgd(_ threads: Threads, _ decay: Float) -> Step {
    threads.elementwise(count) { range in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        lanes.store(p - (lanes.load(gradient) + p * decay) * rate, parameter)
      }
    }
  }

  private func sgd(_ threads: Threads, _ decay: Float, momentum: Float, _ isNesterov: Bool)
    -> Step
  {
    let buffer = state[0]
    return threads.elementwise(count) { range in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = lanes.load(gradient) + p * decay
        let m = lanes.load(buffer) * momentum + g
        lanes.store(m, buffer)
        lanes.store(p - (isNesterov ? g + m * momentum : m) * rate, parameter)
      }
    }
  }

  private func momentumEMA(_ threads: Threads, _ rho: Float) -> Step {
    let buffer = state[0]
    return threads.elementwise(count) { range in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let m = lanes.load(buffer) * rho + lanes.load(gradient) * (1 - rho)
        lanes.store(m, buffer)
        lanes.store(lanes.load(parameter) - m * rate, parameter)
      }
    }
  }

  private func normalizedGradient(_ threads: Threads, _ epsilon: Float) -> Step {
    threads.elementwise(count) { range in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let g = lanes.load(gradient)
        lanes.store(
          lanes.load(parameter) - g / (g * g + epsilon).squareRoot() * rate, parameter)
      }
    }
  }

  private func adagrad(_ threads: Threads, _ epsilon: Float, _ decay: Float) -> Step {
    let sum = state[0]
    return threads.elementwise(count) { range in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = lanes.load(gradient) + p * decay
        let s = lanes.load(sum) + g * g
        lanes.store(s, sum)
        lanes.store(p - g / (s.squareRoot() + epsilon) * rate, parameter)
      }
    }
  }

  private func rmsprop(
    _ threads: Threads, _ alpha: Float, _ epsilon: Float, _ momentum: Float, _ isCentered: Bool,
    _ decay: Float
  ) -> Step {
    let square = state[0]
    let average = isCentered ? state[1] : square
    let buffer = momentum == 0 ? square : state[state.count - 1]
    return threads.elementwise(count) { range in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = lanes.load(gradient) + p * decay
        let s = lanes.load(square) * alpha + g * g * (1 - alpha)
        lanes.store(s, square)
        var variance = s
        if isCentered {
          let a = lanes.load(average) * alpha + g * (1 - alpha)
          lanes.store(a, average)
          variance -= a * a
        }
        var d = g / (variance.squareRoot() + epsilon)
        if momentum != 0 {
          d += lanes.load(buffer) * momentum
          lanes.store(d, buffer)
        }
        lanes.store(p - d * rate, parameter)
      }
    }
  }

  private func adadelta(_ threads: Threads, _ rho: Float, _ epsilon: Float, _ decay: Float) -> Step
  {
    let (square, delta) = (state[0], state[1])
    return threads.elementwise(count) { range in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = lanes.load(gradient) + p * decay
        let s = lanes.load(square) * rho + g * g * (1 - rho)
        let u = lanes.load(delta)
        let d = (u + epsilon).squareRoot() / (s + epsilon).squareRoot() * g
        lanes.store(s, square)
        lanes.store(u * rho + d * d * (1 - rho), delta)
        lanes.store(p - d * rate, parameter)
      }
    }
  }

  private func adam(
    _ threads: Threads, _ beta1: Float, _ beta2: Float, _ epsilon: Float, _ decay: Float,
    _ isDecoupled: Bool
  ) -> Step {
    let (first, second) = (state[0], state[1])
    return threads.elementwise(count) { range in
      let rate = learningRate[0]
      let step = Double(self.step[0])
      let stepSize = Float(Double(rate) / (1 - pow(Double(beta1), step)))
      let secondScale = Float((1 - pow(Double(beta2), step)).squareRoot())
      let keep = isDecoupled ? 1 - rate * decay : 1
      let addedDecay = isDecoupled ? 0 : decay
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = lanes.load(gradient) + p * addedDecay
        let m = lanes.load(first) * beta1 + g * (1 - beta1)
        let v = lanes.load(second) * beta2 + g * g * (1 - beta2)
        lanes.store(m, first)
        lanes.store(v, second)
        lanes.store(
          p * keep - m / (v.squareRoot() / secondScale + epsilon) * stepSize, parameter)
      }
    }
  }
}
