import TernCore
import TernGraph

extension Operations.Unary.Function {
  /// The function's name in `elementwise/unary_functions.cl`, and its settings there. That of its slope has
  /// the suffix `_slope`.
  ///
  /// - Parameter isSlope: whether the settings are for the slope.
  fileprivate func kernel(isSlope: Bool = false) -> (name: String, p: Float, q: Float) {
    switch self {
    case .relu: ("relu", 0, 0)
    case .leakyReLU(let slope): ("leaky_relu", slope, 0)
    case .elu(let alpha): ("elu", alpha, 0)
    case .gelu(let tanh): (tanh ? "gelu_tanh" : "gelu", 0, 0)
    case .silu: ("silu", 0, 0)
    case .sigmoid: ("sigmoid", 0, 0)
    case .tanh: ("tanh_", 0, 0)
    case .softplus(let beta, let threshold): ("softplus", beta, threshold)
    case .hardtanh(let min, let max): ("hardtanh", min, max)
    case .exp: ("exp_", 0, 0)
    case .log: ("log_", 0, 0)
    case .sqrt: ("sqrt_", 0, 0)
    case .rsqrt: ("rsqrt_", 0, 0)
    case .reciprocal: ("reciprocal", 0, 0)
    case .abs: ("abs_", 0, 0)
    case .square: ("square", 0, 0)
    case .pow(let exponent):
      // The slope has an exponent that is one less.
      Operations.Unary.quarters(isSlope ? exponent - 1 : exponent).map {
        ("pow_quarters", exponent, Float($0))
      } ?? ("pow_", exponent, 0)
    case .clamp(let min, let max): ("clamp_", min, max)
    case .affine(let scale, let shift): ("affine", scale, shift)
    }
  }

  /// Whether the kernel of the slope gives half of it.
  fileprivate var hasHalfSlope: Bool { self == .square }
}

extension Operations.Unary: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (name, p, q) = function.kernel()
    try encoder.elements(
      "unary", in: "elementwise/unary", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), .int(y[0].count), .float(p), .float(q)], function: name)
  }
}

extension Operations.UnaryBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (name, p, q) = function.kernel(isSlope: true)
    try encoder.elements(
      "unary_backward", in: "elementwise/unary", count: y[0].count,
      [.tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(y[0].count), .float(p), .float(q)],
      defines: function.hasHalfSlope ? ["TWICE": 1] : [:], function: name)
  }
}

extension Operations.ElementwiseChain.Function {
  /// The function of operands in the language of kernels, by the functions of
  /// `elementwise/unary_functions.cl` and `elementwise/binary_functions.cl`.
  func expression(_ operands: [String]) -> String {
    switch self {
    case .unary(let function):
      let (name, p, q) = function.kernel()
      return "\(name)(\(operands[0]), \(p.literal), \(q.literal))"
    case .unaryBackward(let function):
      let (name, p, q) = function.kernel(isSlope: true)
      let slope = "\(name)_slope(\(operands[1]), \(p.literal), \(q.literal))"
      let product = "passed_on(\(operands[0]), \(slope))"
      return function.hasHalfSlope ? "doubled(\(product))" : product
    case .binary(let function): return "\(function.rawValue)(\(operands.joined(separator: ", ")))"
    }
  }
}

extension Float {
  /// The number in the language of kernels.
  var literal: String {
    isFinite ? "\(self)f" : "as_float(0x\(String(bitPattern, radix: 16))u)"
  }
}
