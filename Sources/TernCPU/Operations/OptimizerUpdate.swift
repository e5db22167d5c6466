import Foundation
import TernCore
import TernGraph

extension Operations.OptimizerUpdate: CPUOperation {
  func isSupported(_ inputs: [TensorType]) -> Bool { !isGuarded(inputs.count) }

  /// The parameter as its gradient is stored, where nothing else decides.
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    [request.inputs[1].layout] + request.inputs.dropFirst().map { _ in nil }
  }

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
      let update = UpdateArguments(self, addresses).update(rule)
      let gradient = addresses.input(1)
      return context.threads.elementwise(count) { update($0, gradient) }
    }
  }
}

/// Updates the elements of a range, given the gradient of all elements.
typealias RangeUpdate = (_ range: Range<Int>, _ gradient: UnsafePointer<Float>) -> Void

/// What an update reads and writes besides the gradient. Parameter and state are updated in place.
struct UpdateArguments {
  let learningRate: UnsafePointer<Float>
  let step: UnsafePointer<Int32>
  let parameter: UnsafeMutablePointer<Float>
  let state: [UnsafeMutablePointer<Float>]

  /// The arguments of one update by itself.
  fileprivate init(_ update: Operations.OptimizerUpdate, _ addresses: Addresses) {
    self.init(
      learningRate: addresses.input(2), step: addresses.integerInput(3),
      outputs: (0...update.stateNames.count).map(addresses.output))
  }

  /// - Parameter outputs: the parameter, then its state.
  init(
    learningRate: UnsafePointer<Float>, step: UnsafePointer<Int32>,
    outputs: [UnsafeMutablePointer<Float>]
  ) {
    self.learningRate = learningRate
    self.step = step
    parameter = outputs[0]
    state = Array(outputs.dropFirst())
  }

  func update(_ rule: Operations.OptimizerUpdate.Rule) -> RangeUpdate {
    switch rule {
    case .sgd(let momentum, let isNesterov, let decay):
      return momentum == 0 ? sgd(decay) : sgd(decay, momentum: momentum, isNesterov)
    case .momentumEMA(let rho): return momentumEMA(rho)
    case .normalizedGradient(let epsilon): return normalizedGradient(epsilon)
    case .adagrad(let epsilon, let decay): return adagrad(epsilon, decay)
    case .rmsprop(let alpha, let epsilon, let momentum, let isCentered, let decay):
      return rmsprop(alpha, epsilon, momentum, isCentered, decay)
    case .adadelta(let rho, let epsilon, let decay): return adadelta(rho, epsilon, decay)
    case .adam(let beta1, let beta2, let epsilon, let decay, let isDecoupled):
      return adam(beta1, beta2, epsilon, decay, isDecoupled)
    }
  }

  private func sgd(_ decay: Float) -> RangeUpdate {
    { range, gradient in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        lanes.store(p - decayed(lanes.load(gradient), p, decay) * rate, parameter)
      }
    }
  }

  private func sgd(_ decay: Float, momentum: Float, _ isNesterov: Bool)
    -> RangeUpdate
  {
    let buffer = state[0]
    return { range, gradient in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = decayed(lanes.load(gradient), p, decay)
        let m = lanes.load(buffer) * momentum + g
        lanes.store(m, buffer)
        lanes.store(p - (isNesterov ? g + m * momentum : m) * rate, parameter)
      }
    }
  }

  private func momentumEMA(_ rho: Float) -> RangeUpdate {
    let buffer = state[0]
    return { range, gradient in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let m = lanes.load(buffer) * rho + lanes.load(gradient) * (1 - rho)
        lanes.store(m, buffer)
        lanes.store(lanes.load(parameter) - m * rate, parameter)
      }
    }
  }

  private func normalizedGradient(_ epsilon: Float) -> RangeUpdate {
    { range, gradient in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let g = lanes.load(gradient)
        // The square of a large one would overflow: both sides of the division are scaled.
        let scale = Vector(repeating: 1).replacing(with: 0x1p-70, where: g.magnitudes .> 1e15)
        let scaled = g * scale
        let norm = (scaled * scaled + epsilon * (scale * scale)).squareRoot()
        lanes.store(lanes.load(parameter) - scaled / norm * rate, parameter)
      }
    }
  }

  private func adagrad(_ epsilon: Float, _ decay: Float) -> RangeUpdate {
    let sum = state[0]
    return { range, gradient in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = decayed(lanes.load(gradient), p, decay)
        let s = lanes.load(sum) + g * g
        lanes.store(s, sum)
        lanes.store(p - g / (s.squareRoot() + epsilon) * rate, parameter)
      }
    }
  }

  private func rmsprop(
    _ alpha: Float, _ epsilon: Float, _ momentum: Float, _ isCentered: Bool,
    _ decay: Float
  ) -> RangeUpdate {
    let square = state[0]
    let average = isCentered ? state[1] : square
    let buffer = momentum == 0 ? square : state[state.count - 1]
    return { range, gradient in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = decayed(lanes.load(gradient), p, decay)
        let s = lanes.load(square) * alpha + g * g * (1 - alpha)
        lanes.store(s, square)
        var variance = s
        if isCentered {
          let a = lanes.load(average) * alpha + g * (1 - alpha)
          lanes.store(a, average)
          // Of equal gradients a difference of equal numbers, which must not round below 0.
          variance -= a * a
          variance.replace(with: 0, where: variance .< 0)
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

  private func adadelta(_ rho: Float, _ epsilon: Float, _ decay: Float) -> RangeUpdate {
    let (square, delta) = (state[0], state[1])
    return { range, gradient in
      let rate = learningRate[0]
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = decayed(lanes.load(gradient), p, decay)
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
    _ beta1: Float, _ beta2: Float, _ epsilon: Float, _ decay: Float,
    _ isDecoupled: Bool
  ) -> RangeUpdate {
    let (first, second) = (state[0], state[1])
    return { range, gradient in
      let rate = learningRate[0]
      let step = Double(self.step[0])
      let stepSize = Float(Double(rate) / (1 - pow(Double(beta1), step)))
      let secondScale = Float((1 - pow(Double(beta2), step)).squareRoot())
      let keep = isDecoupled ? 1 - rate * decay : 1
      let addedDecay = isDecoupled ? 0 : decay
      forEachLanes(in: range) { lanes in
        let p = lanes.load(parameter)
        let g = decayed(lanes.load(gradient), p, addedDecay)
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

/// The gradient with the decay's part; without decay as it is, whatever the parameter.
@inline(__always)
private func decayed(_ gradient: Vector, _ parameter: Vector, _ decay: Float) -> Vector {
  decay == 0 ? gradient : gradient + parameter * decay
}
