import COneDNN
import TernCore
import TernGraph

extension Unary: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.passedOn }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    .following(request, keepsPadding: function.isZeroAtZero)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    if let algorithm = function.primitive {
      return context.lowering(
        of: try context.eltwise(algorithm, node.inputs[0]), inputs: [(.source, 0)],
        outputs: [(.destination, 0)])
    }
    let count = node.inputs[0].storedCount
    return Lowering { addresses in
      context.threads.elementwise(
        count, function.kernel, addresses.input(0), addresses.output(0))
    }
  }
}

extension UnaryBackward: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.likeInput(1) }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    .following(request, keepsPadding: function.hasFiniteDerivativeAtZero)
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    if Unary(function).saved == .input, let algorithm = function.primitive,
      function.differentiatesByPrimitive
    {
      let forward = try context.eltwise(algorithm, node.inputs[1])
      let descriptor = try PrimitiveDescriptor("eltwise_backward", context.engine) {
        var data = try context.descriptor(node.inputs[1]).raw
        return tern_dnnl_eltwise_backward(
          $0, $1, $2, algorithm.kind, &data, algorithm.alpha, algorithm.beta, forward.handle)
      }
      return context.lowering(
        of: descriptor, inputs: [(.destinationGradient, 0), (.source, 1)],
        outputs: [(.sourceGradient, 0)])
    }
    let count = node.inputs[0].storedCount
    return Lowering { addresses in
      context.threads.elementwise(
        count, function.backwardKernel, addresses.input(0), addresses.input(1),
        addresses.output(0))
    }
  }
}

/// A function as oneDNN's eltwise primitive knows it.
struct EltwiseAlgorithm {
  let kind: dnnl_alg_kind_t
  var alpha: Float = 0
  var beta: Float = 0
}

extension CPUContext {
  /// The forward primitive of an algorithm on a tensor.
  fileprivate func eltwise(_ algorithm: EltwiseAlgorithm, _ operand: Operand) throws
    -> PrimitiveDescriptor
  {
    try PrimitiveDescriptor("eltwise_forward", engine) {
      var data = try descriptor(operand).raw
      return tern_dnnl_eltwise_forward(
        $0, $1, $2, algorithm.kind, &data, algorithm.alpha, algorithm.beta)
    }
  }
}

extension Unary.Function {
  /// oneDNN's algorithm for the transcendental functions; the others are bound by memory, and a
  /// loop of our own does as well.
  var primitive: EltwiseAlgorithm? {
    switch self {
    case .elu(let alpha): EltwiseAlgorithm(kind: dnnl_eltwise_elu, alpha: alpha)
    case .gelu(let tanh):
      EltwiseAlgorithm(kind: tanh ? dnnl_eltwise_gelu_tanh : dnnl_eltwise_gelu_erf)
    case .silu: EltwiseAlgorithm(kind: dnnl_eltwise_swish, alpha: 1)
    case .sigmoid: EltwiseAlgorithm(kind: dnnl_eltwise_logistic)
    case .tanh: EltwiseAlgorithm(kind: dnnl_eltwise_tanh)
    case .exp: EltwiseAlgorithm(kind: dnnl_eltwise_exp)
    case .log: EltwiseAlgorithm(kind: dnnl_eltwise_log)
    default: nil
    }
  }

  /// Whether the derivative is as costly as the function.
  var differentiatesByPrimitive: Bool {
    switch self {
    case .elu, .gelu, .silu: true
    default: false
    }
  }

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

  /// y = f(x). For functions without a ``primitive``.
  var kernel: UnaryKernel {
    switch self {
    case .relu:
      // Written so that NaN stays NaN, by which training notices that it diverged.
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
    case .softplus(let beta, let threshold):
      return {
        transform(0..<$2, $0, to: $1) { x in
          (x * beta).softplus.replacing(with: x * beta, where: x * beta .> threshold) / beta
        }
      }
    case .elu, .gelu, .silu, .sigmoid, .tanh, .exp, .log:
      preconditionFailure("\(self) is a primitive")
    }
  }

  /// dx = f'(saved)·dy, of dy and saved. For functions that do not differentiate by a primitive.
  var backwardKernel: BinaryKernel {
    switch self {
    case .relu:
      return {
        transform(0..<$3, $0, $1, to: $2) { $0.replacing(with: 0, where: $1 .<= 0) }
      }
    case .leakyReLU(let slope):
      return {
        transform(0..<$3, $0, $1, to: $2) {
          $0.replacing(with: $0 * slope, where: $1 .<= 0)
        }
      }
    case .sigmoid:
      return {
        transform(0..<$3, $0, $1, to: $2) { $0 * ($1 * (1 - $1)) }
      }
    case .tanh:
      return { transform(0..<$3, $0, $1, to: $2) { $0 * (1 - $1 * $1) } }
    case .softplus(let beta, let threshold):
      return {
        transform(0..<$3, $0, $1, to: $2) { dy, x in
          (dy / (1 + (x * -beta).exponential)).replacing(with: dy, where: x * beta .> threshold)
        }
      }
    case .hardtanh(let low, let high):
      return {
        transform(0..<$3, $0, $1, to: $2) {
          $0.replacing(with: 0, where: ($1 .<= low) .| ($1 .>= high))
        }
      }
    case .clamp(let low, let high):
      return {
        transform(0..<$3, $0, $1, to: $2) {
          $0.replacing(with: 0, where: ($1 .< low) .| ($1 .> high))
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
          $0.replacing(with: -$0, where: $1 .< 0).replacing(with: 0, where: $1 .== 0)
        }
      }
    case .square:
      return { transform(0..<$3, $0, $1, to: $2) { $0 * ($1 + $1) } }
    case .pow(let exponent):
      return Power(exponent - 1).backwardKernel(scale: exponent)
    case .affine(let scale, _):
      return { transform(0..<$3, $0, to: $2) { $0 * scale } }
    case .elu, .gelu, .silu: preconditionFailure("\(self) is a primitive")
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
