import Foundation
import TernGraph

extension Operations.Softmax: ReferenceOperation {
  /// x → y, both [outer, extent, inner] with the softmax along extent
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y) = (inputs[0], outputs[0])
    let (outer, extent, inner) = x.split(at: axis)
    let isLogarithmic = isLogarithmic
    return {
      for row in 0..<outer * inner {
        let first = row / inner * extent * inner + row % inner
        let elements = stride(from: first, to: first + extent * inner, by: inner)
        var maximum = -Double.infinity
        for i in elements where x[i] > maximum || x[i].isNaN { maximum = x[i] }
        var sum = 0.0
        for i in elements { sum += exp(x[i] - maximum) }
        for i in elements {
          y[i] = isLogarithmic ? x[i] - maximum - log(sum) : exp(x[i] - maximum) / sum
        }
      }
    }
  }
}

extension Operations.SoftmaxBackward: ReferenceOperation {
  /// dy, y → dx, all [outer, extent, inner]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, y, dx) = (inputs[0], inputs[1], outputs[0])
    let (outer, extent, inner) = y.split(at: axis)
    let isLogarithmic = isLogarithmic
    return {
      for row in 0..<outer * inner {
        let first = row / inner * extent * inner + row % inner
        let elements = stride(from: first, to: first + extent * inner, by: inner)
        var sum = 0.0
        for i in elements { sum += isLogarithmic ? dy[i] : dy[i] * y[i] }
        for i in elements {
          dx[i] = isLogarithmic ? dy[i] - exp(y[i]) * sum : y[i] * (dy[i] - sum)
        }
      }
    }
  }
}
