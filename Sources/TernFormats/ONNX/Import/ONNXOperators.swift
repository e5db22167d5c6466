import Foundation
import TernCore
import TernGraph

/// How an operator of ONNX is computed.
struct ONNXOperator: Sendable {
  typealias Body = @Sendable (ONNXCall) throws -> [ONNXValue]

  /// From values that are known.
  let host: Body?
  /// By operations of a device.
  let device: Body?
  /// Whether values that are known are enough, also of real numbers: what gives a shape.
  let isShapeArithmetic: Bool

  init(host: Body? = nil, device: Body? = nil, isShapeArithmetic: Bool = false) {
    (self.host, self.device, self.isShapeArithmetic) = (host, device, isShapeArithmetic)
  }

  static func device(_ body: @escaping Body) -> ONNXOperator { ONNXOperator(device: body) }
}

/// The operators that are known, by name.
///
/// Source: the operators' documentation, onnx.ai/onnx/operators, opsets 7 to 24.
enum ONNXOperators {
  static func named(_ name: String, domain: String) -> ONNXOperator? {
    switch domain {
    case "": families.lazy.compactMap { $0[name] }.first
    case "ai.onnx.preview.training": training[name]
    default: nil
    }
  }

  private static let families: [[String: ONNXOperator]] = [
    elementwise, activations, arithmetic, comparisons, reductions, searches, movement, indexing,
    windows, normalizations, products, constants, losses, recurrent, resizing, attention, control,
  ]
}

// MARK: - Functions of one number

extension ONNXOperators {
  /// A function of a number, known on the host, and on a device where there is an operation for it.
  static func unary(
    _ host: @escaping @Sendable (Double) -> Double,
    _ device: (@Sendable (Tensor) throws -> Tensor)? = nil
  ) -> ONNXOperator {
    let fold: ONNXOperator.Body = { call in
      let x = try call.constant(0)
      return [.host(HostArray(x.type, x.shape, rounding: x.doubles.map(host)))]
    }
    guard let device else { return ONNXOperator(host: fold) }
    return ONNXOperator(
      host: fold,
      device: { call in
        guard try call.type(0).isReal else {
          throw ONNXFault.unsupported("on \(try call.type(0).name)")
        }
        return try call.result(try device(call.tensor(0)))
      })
  }

  static let elementwise: [String: ONNXOperator] = [
    "Abs": unary(abs) { try $0.abs() },
    "Neg": unary(-) { try -$0 },
    "Exp": unary(exp) { try $0.exp() },
    "Log": unary(log) { try $0.log() },
    "Sqrt": unary({ $0.squareRoot() }, { try $0.sqrt() }),
    "Reciprocal": unary({ 1 / $0 }, { try $0.reciprocal() }),
    "Sign": unary({ $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }, { try $0.sign() }),
    "Erf": unary(erf) { try errorFunction($0) },
    "Floor": unary { $0.rounded(.down) },
    "Ceil": unary { $0.rounded(.up) },
    "Round": unary { $0.rounded(.toNearestOrEven) },
    "Sin": unary(sin), "Cos": unary(cos), "Tan": unary(tan),
    "Asin": unary(asin), "Acos": unary(acos), "Atan": unary(atan),
    "Sinh": unary(sinh) { x in try (x.exp() - (-x).exp()).affine(scale: 0.5) },
    "Cosh": unary(cosh) { x in try (x.exp() + (-x).exp()).affine(scale: 0.5) },
    "Asinh": unary(asinh), "Acosh": unary(acosh), "Atanh": unary(atanh),
    "Identity": ONNXOperator(
      host: { [try $0.value(0)] },
      device: { call in
        // A weight that several nodes read under other names stays one parameter.
        [try call.value(0)]
      }),
    "Not": ONNXOperator(
      host: { call in
        let x = try call.constant(0)
        return [.host(HostArray(.bool, x.shape, integers: x.integers.map { $0 == 0 ? 1 : 0 }))]
      },
      device: { try $0.result(try $0.tensor(0).affine(scale: -1, shift: 1), .bool) }),
    "IsNaN": .device { call in
      let x = try call.tensor(0)
      return try call.result(try x.equal(x).affine(scale: -1, shift: 1), .bool)
    },
    "IsInf": .device { call in
      let x = try call.tensor(0)
      var sides: [Tensor] = []
      if try call.flag("detect_positive", true) {
        sides.append(try x.equal(call.number(.infinity)))
      }
      if try call.flag("detect_negative", true) {
        sides.append(try x.equal(call.number(-.infinity)))
      }
      guard let first = sides.first else { throw ONNXFault.unsupported("that looks for nothing") }
      return try call.result(try sides.dropFirst().reduce(first) { try $0 + $1 }, .bool)
    },
  ]

  /// erf from GELU, x Φ(x): erf(z) = 2 Φ(√2 z) − 1. Near 0, where that cancels, the series of Maclaurin.
  static func errorFunction(_ z: Tensor) throws -> Tensor {
    let x = try z.affine(scale: Float(2).squareRoot())
    let isFar = try greater(z.abs(), z.builder.constant(0.3))
    let isNear = try isFar.affine(scale: -1, shift: 1)
    let safe = try x * isFar + isNear
    let far = try (safe.gelu() / safe).affine(scale: 2, shift: -1)
    // Σ (−1)ⁿ z²ⁿ⁺¹ / (n! (2n + 1)) to z⁹ is exact to 1e-8 up to 0.3.
    let near = try z * isNear
    let square = try near.square()
    var sum = try square.affine(scale: 1 / 216, shift: -1 / 42)
    for coefficient: Float in [1.0 / 10, -1.0 / 3, 1] {
      sum = try (sum * square).affine(scale: 1, shift: coefficient)
    }
    return try far * isFar + (near * sum).affine(scale: 2 / Float.pi.squareRoot())
  }

  /// 1 where a > b, 0 elsewhere.
  static func greater(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    let half = try a.builder.apply(Operations.Binary(.heaviside), [a, b])[0]
    return try half - a.equal(b).affine(scale: 0.5)
  }

  /// 1 where a ≥ b, 0 elsewhere.
  static func greaterOrEqual(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    let half = try a.builder.apply(Operations.Binary(.heaviside), [a, b])[0]
    return try half + a.equal(b).affine(scale: 0.5)
  }
}

// MARK: - Activations

extension ONNXOperators {
  private static func activation(_ body: @escaping @Sendable (ONNXCall, Tensor) throws -> Tensor)
    -> ONNXOperator
  {
    .device { call in
      guard try call.type(0).isReal else {
        throw ONNXFault.unsupported("on \(try call.type(0).name)")
      }
      return try call.result(try body(call, call.tensor(0)))
    }
  }

  static let activations: [String: ONNXOperator] = [
    "Relu": activation { try $1.relu() },
    "LeakyRelu": activation { try $1.leakyReLU(negativeSlope: $0.float("alpha", 0.01)) },
    "Elu": activation { try $1.elu(alpha: $0.float("alpha", 1)) },
    "Sigmoid": activation { try $1.sigmoid() },
    "Tanh": activation { try $1.tanh() },
    "Softplus": activation { try $1.softplus() },
    "Selu": activation { call, x in
      try x.elu(alpha: call.float("alpha", 1.673_263_2)).affine(
        scale: call.float("gamma", 1.050_701))
    },
    "Celu": activation { call, x in
      let alpha = try call.float("alpha", 1)
      return try x.affine(scale: 1 / alpha).elu(alpha: 1).affine(scale: alpha)
    },
    "Gelu": activation { call, x in try x.gelu(tanh: call.string("approximate", "none") == "tanh")
    },
    "Mish": activation { _, x in try x * x.softplus().tanh() },
    "Swish": activation { call, x in
      try x * x.affine(scale: call.float("alpha", 1)).sigmoid()
    },
    "HardSigmoid": activation { call, x in
      try x.affine(scale: call.float("alpha", 0.2), shift: call.float("beta", 0.5))
        .clamp(min: 0, max: 1)
    },
    "HardSwish": activation { _, x in
      try x * x.affine(scale: 1 / 6, shift: 0.5).clamp(min: 0, max: 1)
    },
    "ThresholdedRelu": activation { call, x in
      try x * greater(x, call.number(call.float("alpha", 1)))
    },
    "Softsign": activation { _, x in try x / x.abs().affine(scale: 1, shift: 1) },
    "Shrink": activation { call, x in
      let (bias, bound) = (try call.float("bias", 0), try call.float("lambd", 0.5))
      let above = try greater(x, call.number(bound))
      let below = try greater(-x, call.number(bound))
      return try above * x.affine(scale: 1, shift: -bias) + below * x.affine(scale: 1, shift: bias)
    },
    "PRelu": .device { call in
      let x = try call.tensor(0)
      var slope = try call.weight(1)
      // Older versions have one for each channel, which does not broadcast.
      if slope.shape.rank == 1, x.shape.rank >= 2, slope.shape[0] == x.shape[1],
        call.opset < 7 || Shape.broadcast(slope.shape, x.shape) != x.shape
      {
        slope = try slope.reshape(
          Shape([slope.shape[0]] + [Int](repeating: 1, count: x.shape.rank - 2)))
      }
      return try call.result(try x.relu() - (-x).relu() * slope)
    },
    "Softmax": activation { call, x in
      try overClasses(call, x) { try $0.softmax(dim: $1) }
    },
    "LogSoftmax": activation { call, x in
      try overClasses(call, x) { try $0.logSoftmax(dim: $1) }
    },
    "Hardmax": activation { call, x in
      try overClasses(call, x) { x, axis in
        let first = try position(ofMaximum: x, axis: axis, takesLast: false)
        return try first.equal(x.builder.constant(counting(x.shape, axis)))
      }
    },
    "Dropout": .device { call in
      let x = try call.tensor(0)
      let mask = try call.number(1).expand(x.shape)
      var ratio = try call.float("ratio", 0.5)
      if let given = try call.optionalConstant(1) { ratio = Float(try given.scalar()) }
      if call.has(2), try call.constant(2).scalar() != 0, ratio > 0 {
        guard call.context.mode == .training || call.importer.followsMode else {
          throw ONNXFault.unsupported("that drops in inference too")
        }
      }
      guard call.context.mode == .training, ratio > 0, let step = call.context.step else {
        return [.device(x, try call.type(0)), .device(mask, .bool)]
      }
      guard (0..<1).contains(ratio) else { throw ONNXFault.invalid("the ratio \(ratio)") }
      let y = try x.dropout(
        probability: ratio, seed: call.context.seed, stream: call.context.nextDropoutStream(),
        step: step)
      return [.device(y, try call.type(0))]
    },
  ]

  /// Softmax's axis: since opset 13 one axis, before it all from that axis on, as one.
  private static func overClasses(
    _ call: ONNXCall, _ x: Tensor, _ body: (Tensor, Int) throws -> Tensor
  ) throws -> Tensor {
    let axis = try call.axis(call.int("axis", call.opset < 13 ? 1 : -1), rank: max(x.shape.rank, 1))
    if call.opset >= 13 || axis == x.shape.rank - 1 { return try body(x, axis) }
    let rows = x.shape.elementCount(in: 0..<axis)
    return try body(x.reshape([rows, x.shape.elementCount / rows]), 1).reshape(x.shape)
  }

  /// 0, 1, 2, … along an axis, under a shape that broadcasts.
  static func counting(_ shape: Shape, _ axis: Int, from start: Int = 0) -> HostTensor {
    var extents = [Int](repeating: 1, count: shape.rank)
    extents[axis] = shape[axis]
    return HostTensor(Shape(extents), (start..<start + shape[axis]).map(Float.init))
  }

  /// Where along an axis the maximum is, the axis kept: the largest number among those at its places.
  static func position(ofMaximum x: Tensor, axis: Int, takesLast: Bool) throws -> Tensor {
    let count = x.shape[axis]
    guard count < 1 << 24 else { throw ONNXFault.unsupported("an axis of \(count) elements") }
    let isMaximum = try x.equal(x.amax([axis], keepsAxes: true))
    if takesLast {
      let places = x.builder.constant(counting(x.shape, axis, from: 1))
      return try (isMaximum * places).amax([axis], keepsAxes: true).affine(scale: 1, shift: -1)
    }
    let falling = x.builder.constant(
      HostTensor(
        counting(x.shape, axis).shape, (0..<count).map { Float(count - $0) }))
    return try (isMaximum * falling).amax([axis], keepsAxes: true)
      .affine(scale: -1, shift: Float(count))
  }
}
