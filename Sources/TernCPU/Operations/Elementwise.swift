import CMicrokernels
import TernCore
import TernGraph

extension Operations.Unary: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.passedOn }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    .following(request, keepsPadding: function.isZeroAtZero)
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    .elementwise(
      node.inputs[0].type.dataType, node.inputs[0].storedCount, context.threads, function.kernel)
  }
}

extension Operations.UnaryBackward: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.likeInput(1) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    .following(request, keepsPadding: function.hasFiniteDerivativeAtZero)
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    .elementwise(
      node.inputs[0].type.dataType, node.inputs[0].storedCount, context.threads,
      function.backwardKernel)
  }
}

extension Operations.Unary.Function {
  /// Whether f(0) = 0, so that zeros of a padded layout stay zeros.
  var isZeroAtZero: Bool {
    switch self {
    case .relu, .leakyReLU, .elu, .gelu, .silu, .tanh, .sqrt, .abs, .square: true
    case .hardtanh(let min, let max), .clamp(let min, let max): min <= 0 && max >= 0
    case .affine(_, let shift): shift == 0
    case .pow(let exponent): exponent > 0
    case .sigmoid, .softplus, .exp, .log, .rsqrt, .reciprocal: false
    }
  }

  /// Whether f'(0)·0 = 0, so that zeros of a padded layout stay zeros.
  var hasFiniteDerivativeAtZero: Bool {
    switch self {
    case .sqrt, .rsqrt, .reciprocal, .log: false
    case .pow(let exponent): exponent >= 1
    default: true
    }
  }

  /// y = f(x). NaN stays NaN, by which training notices that it diverged.
  var kernel: UnaryKernel {
    switch self {
    case .relu:
      return {
        transform(0..<$2, $0, to: $1) { $0.replacing(with: 0, where: $0 .< 0) }
      }
    case .leakyReLU(let slope):
      return {
        transform(0..<$2, $0, to: $1) { $0.replacing(with: $0 * slope, where: $0 .< 0) }
      }
    case .hardtanh(let low, let high), .clamp(let low, let high):
      return {
        transform(0..<$2, $0, to: $1) {
          min(max($0, Vector(repeating: low)), Vector(repeating: high))
        }
      }
    case .sqrt: return { transform(0..<$2, $0, to: $1) { $0.squareRoot() } }
    case .rsqrt:
      return { transform(0..<$2, $0, to: $1) { 1 / $0.squareRoot() } }
    case .reciprocal: return { transform(0..<$2, $0, to: $1) { 1 / $0 } }
    case .abs: return { transform(0..<$2, $0, to: $1) { $0.magnitudes } }
    case .square: return { transform(0..<$2, $0, to: $1) { $0 * $0 } }
    case .affine(let scale, let shift):
      return { transform(0..<$2, $0, to: $1) { $0 * scale + shift } }
    case .pow(let exponent): return Power(exponent).kernel
    case .softplus(let beta, let threshold): return { tern_softplus($0, $1, $2, beta, threshold) }
    case .elu(let alpha): return { tern_elu($0, $1, $2, alpha, 0) }
    case .gelu(let tanh):
      return tanh ? { tern_gelu_tanh($0, $1, $2, 0, 0) } : { tern_gelu($0, $1, $2, 0, 0) }
    case .silu: return { tern_silu($0, $1, $2, 0, 0) }
    case .sigmoid: return { tern_sigmoid($0, $1, $2, 0, 0) }
    case .tanh: return { tern_tanh($0, $1, $2, 0, 0) }
    case .exp: return { tern_exp($0, $1, $2, 0, 0) }
    case .log: return { tern_log($0, $1, $2, 0, 0) }
    }
  }

  /// dx = f'(saved)·dy, of dy and saved.
  var backwardKernel: BinaryKernel {
    switch self {
    case .relu:
      return {
        transform(0..<$3, $0, $1, to: $2) { $0.replacing(with: 0, where: $1 .<= 0) }
      }
    case .leakyReLU(let slope):
      return {
        transform(0..<$3, $0, $1, to: $2) {
          ($0 * slope).replacing(with: $0, where: $1 .> 0)
        }
      }
    case .sigmoid:
      return {
        transform(0..<$3, $0, $1, to: $2) { $0 * ($1 * (1 - $1)) }
      }
    case .tanh:
      return { transform(0..<$3, $0, $1, to: $2) { $0 * (1 - $1 * $1) } }
    case .softplus(let beta, let threshold):
      return { tern_softplus_backward($0, $1, $2, $3, beta, threshold) }
    case .elu(let alpha): return { tern_elu_backward($0, $1, $2, $3, alpha, 0) }
    case .gelu(let tanh):
      return tanh
        ? { tern_gelu_tanh_backward($0, $1, $2, $3, 0, 0) }
        : { tern_gelu_backward($0, $1, $2, $3, 0, 0) }
    case .silu: return { tern_silu_backward($0, $1, $2, $3, 0, 0) }
    // At their corners, and of NaN, nothing passes: PyTorch's conventions. An infinite bound is none.
    case .hardtanh(let low, let high), .clamp(let low, let high):
      return {
        let (hasNoLow, hasNoHigh) = (low == -.infinity, high == .infinity)
        transform(0..<$3, $0, $1, to: $2) {
          Vector(repeating: 0).replacing(
            with: $0, where: (($1 .> low) .| hasNoLow) .& (($1 .< high) .| hasNoHigh))
        }
      }
    case .exp: return { transform(0..<$3, $0, $1, to: $2) { $0 * $1 } }
    case .log: return { transform(0..<$3, $0, $1, to: $2) { $0 / $1 } }
    case .sqrt:
      return { transform(0..<$3, $0, $1, to: $2) { $0 * 0.5 / $1 } }
    case .rsqrt:
      return {
        transform(0..<$3, $0, $1, to: $2) { $0 * ($1 * $1 * $1) * -0.5 }
      }
    case .reciprocal:
      return { transform(0..<$3, $0, $1, to: $2) { -($0 * ($1 * $1)) } }
    case .abs:
      return {
        transform(0..<$3, $0, $1, to: $2) {
          Vector(repeating: 0).replacing(with: $0, where: $1 .> 0)
            .replacing(with: -$0, where: $1 .< 0)
        }
      }
    case .square:
      // Doubled last: 2x may overflow where 2x·dy does not.
      return {
        transform(0..<$3, $0, $1, to: $2) {
          let half = $0 * $1
          return half + half
        }
      }
    case .pow(let exponent):
      return Power(exponent - 1).backwardKernel(scale: exponent)
    case .affine(let scale, _):
      return { transform(0..<$3, $0, to: $2) { $0 * scale } }
    }
  }
}

extension SIMD8<Float> {
  /// |x|: the sign bit cleared.
  @inline(__always)
  var magnitudes: SIMD8<Float> {
    unsafeBitCast(
      unsafeBitCast(self, to: IntegerVector.self) & IntegerVector(repeating: .max),
      to: SIMD8<Float>.self)
  }
}
