import Foundation
import TernGraph

extension Operations.Unary: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y) = (inputs[0], outputs[0])
    let f = value
    return {
      for i in 0..<y.count { y[i] = f(x[i]) }
    }
  }

  /// y of x. Comparisons are written such that NaN stays NaN.
  private var value: (Double) -> Double {
    switch function {
    case .relu: return { x in x <= 0 ? 0 : x }
    case .leakyReLU(let slope):
      let slope = Double(slope)
      return { x in x > 0 ? x : slope * x }
    case .elu(let alpha):
      let alpha = Double(alpha)
      return { x in x > 0 ? x : alpha * expm1(x) }
    case .gelu(tanh: false): return { x in x * normalDistribution(x) }
    case .gelu(tanh: true): return { x in 0.5 * x * (1 + tanh(geluArgument(x))) }
    case .silu: return { x in x * logistic(x) }
    case .sigmoid: return logistic
    case .tanh: return { x in tanh(x) }
    case .softplus(let beta, let threshold):
      let (beta, threshold) = (Double(beta), Double(threshold))
      return { x in beta * x > threshold ? x : log1p(exp(beta * x)) / beta }
    case .hardtanh(let low, let high), .clamp(let low, let high):
      let (low, high) = (Double(low), Double(high))
      return { x in x < low ? low : (x > high ? high : x) }
    case .exp: return { x in exp(x) }
    case .log: return { x in log(x) }
    case .sqrt: return { x in x.squareRoot() }
    case .rsqrt: return { x in 1 / x.squareRoot() }
    case .reciprocal: return { x in 1 / x }
    case .abs: return { x in x.magnitude }
    case .square: return { x in x * x }
    case .pow(let exponent):
      let exponent = Double(exponent)
      return { x in pow(x, exponent) }
    case .affine(let scale, let shift):
      let (scale, shift) = (Double(scale), Double(shift))
      return { x in scale * x + shift }
    }
  }
}

extension Operations.UnaryBackward: ReferenceOperation {
  /// dy, and x or y → dx
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, saved, dx) = (inputs[0], inputs[1], outputs[0])
    let f = derivative
    return {
      for i in 0..<dx.count {
        let slope = f(saved[i])
        // Where nothing passes, an infinite gradient does not pass either.
        dx[i] = slope == 0 ? 0 : dy[i] * slope
      }
    }
  }

  /// dy/dx of what ``Unary/saved`` names: x, or y where the derivative is simple in it.
  private var derivative: (Double) -> Double {
    switch function {
    case .relu: return { y in y <= 0 ? 0 : 1 }
    case .leakyReLU(let slope):
      let slope = Double(slope)
      return { x in x > 0 ? 1 : slope }
    case .elu(let alpha):
      let alpha = Double(alpha)
      return { x in x > 0 ? 1 : alpha * exp(x) }
    case .gelu(tanh: false): return { x in normalDistribution(x) + x * normalDensity(x) }
    case .gelu(tanh: true):
      return { x in
        let t = tanh(geluArgument(x))
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * geluArgumentDerivative(x)
      }
    case .silu: return { x in logistic(x) * (1 + x * (1 - logistic(x))) }
    case .sigmoid: return { y in y * (1 - y) }
    case .tanh: return { y in 1 - y * y }
    case .softplus(let beta, let threshold):
      let (beta, threshold) = (Double(beta), Double(threshold))
      return { x in beta * x > threshold ? 1 : logistic(beta * x) }
    // At their corners, and of NaN, nothing passes: PyTorch's conventions. An infinite bound is none.
    case .hardtanh(let low, let high), .clamp(let low, let high):
      let (low, high) = (Double(low), Double(high))
      return { x in
        (x > low || low == -.infinity) && (x < high || high == .infinity) ? 1 : 0
      }
    case .exp: return { y in y }
    case .log: return { x in 1 / x }
    case .sqrt: return { y in 1 / (2 * y) }
    case .rsqrt: return { y in -0.5 * y * y * y }
    case .reciprocal: return { y in -y * y }
    case .abs: return { x in x > 0 ? 1 : (x < 0 ? -1 : 0) }
    case .square: return { x in 2 * x }
    case .pow(let exponent):
      let exponent = Double(exponent)
      return { x in exponent == 0 ? 0 : exponent * pow(x, exponent - 1) }
    case .affine(let scale, _):
      let scale = Double(scale)
      return { _ in scale }
    }
  }
}

/// 1 / (1 + e^−x)
private func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// Φ(x), by the complement so that the left tail keeps its digits.
private func normalDistribution(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

/// φ(x)
private func normalDensity(_ x: Double) -> Double {
  exp(-0.5 * x * x) / (2 * Double.pi).squareRoot()
}

/// √(2/π) · (x + 0.044715 x³), whose tanh stands for erf(x/√2). Hendrycks and Gimpel, 2016.
private func geluArgument(_ x: Double) -> Double {
  (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
}

private func geluArgumentDerivative(_ x: Double) -> Double {
  (2 / Double.pi).squareRoot() * (1 + 3 * 0.044715 * x * x)
}
