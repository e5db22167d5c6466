import TernGraph

extension Operations.Unary.Function {
  /// The function's name in `elementwise/unary.cl`, and its settings there.
  fileprivate var kernel: (name: String, p: Float, q: Float) {
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
    case .pow(let exponent): ("pow_", exponent, 0)
    case .clamp(let min, let max): ("clamp_", min, max)
    case .affine(let scale, let shift): ("affine", scale, shift)
    }
  }

  /// What the kernel is specialised by, and that for the derivative.
  fileprivate var defines: (value: [String: Int], slope: [String: Int]) {
    if self == .square { return ([:], ["TWICE": 1]) }
    guard case .pow(let exponent) = self else { return ([:], [:]) }
    func quarters(_ exponent: Float) -> [String: Int] {
      Operations.Unary.quarters(exponent).map { ["QUARTERS": $0] } ?? [:]
    }
    return (quarters(exponent), quarters(exponent - 1))
  }
}

extension Operations.Unary: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (name, p, q) = function.kernel
    try encoder.elements(
      "unary", in: "elementwise/unary", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), .int(y[0].count), .float(p), .float(q)],
      defines: function.defines.value, function: name)
  }
}

extension Operations.UnaryBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (name, p, q) = function.kernel
    try encoder.elements(
      "unary_backward", in: "elementwise/unary", count: y[0].count,
      [.tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(y[0].count), .float(p), .float(q)],
      defines: function.defines.slope, function: name)
  }
}

/// a·scale + shift of two tensors of one shape, added up.
struct Blend {
  let operands: [(view: View, scale: Float, shift: Float)]
  let result: View

  func encode(in encoder: StepEncoder) throws {
    try encoder.elements(
      "blend", in: "elementwise/binary", count: result.count,
      (operands.map(\.view) + [result]).map(Argument.tensor) + [.int(result.count)]
        + operands.flatMap { [.float($0.scale), .float($0.shift)] })
  }
}
