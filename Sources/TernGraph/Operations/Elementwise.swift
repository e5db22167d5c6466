import TernCore

extension Operations {
  /// A function applied to every element.
  package struct Unary: Operation {
    package enum Function: Hashable, Sendable {
      case relu
      case leakyReLU(negativeSlope: Float)
      case elu(alpha: Float)
      /// x·Φ(x); with `tanh` its approximation. Hendrycks and Gimpel, 2016.
      case gelu(tanh: Bool)
      case silu
      case sigmoid
      case tanh
      /// log(1 + e^(βx)) / β; the identity where βx exceeds `threshold`.
      case softplus(beta: Float, threshold: Float)
      case hardtanh(min: Float, max: Float)
      case exp
      case log
      case sqrt
      case rsqrt
      case reciprocal
      case abs
      case square
      case pow(exponent: Float)
      case clamp(min: Float, max: Float)
      /// scale · x + shift
      case affine(scale: Float, shift: Float)
    }

    /// What the derivative is computed from.
    package enum Saved: Sendable { case nothing, input, output }

    package let function: Function

    package init(_ function: Function) { self.function = function }

    package var name: String {
      switch function {
      case .relu: "relu"
      case .leakyReLU: "leaky_relu"
      case .elu: "elu"
      case .gelu: "gelu"
      case .silu: "silu"
      case .sigmoid: "sigmoid"
      case .tanh: "tanh"
      case .softplus: "softplus"
      case .hardtanh: "hardtanh"
      case .exp: "exp"
      case .log: "log"
      case .sqrt: "sqrt"
      case .rsqrt: "rsqrt"
      case .reciprocal: "reciprocal"
      case .abs: "abs"
      case .square: "square"
      case .pow: "pow"
      case .clamp: "clamp"
      case .affine: "affine"
      }
    }

    package var saved: Saved {
      switch function {
      case .affine: .nothing
      case .relu, .sigmoid, .tanh, .exp, .sqrt, .rsqrt, .reciprocal: .output
      default: .input
      }
    }

    package var detail: String {
      switch function {
      case .leakyReLU(let slope): "negative_slope=\(slope)"
      case .elu(let alpha): "alpha=\(alpha)"
      case .gelu(let tanh): tanh ? "approximate=tanh" : ""
      case .softplus(let beta, let threshold): "beta=\(beta), threshold=\(threshold)"
      case .hardtanh(let min, let max), .clamp(let min, let max): "min=\(min), max=\(max)"
      case .pow(let exponent): "exponent=\(exponent)"
      case .affine(let scale, let shift): "scale=\(scale), shift=\(shift)"
      default: ""
      }
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 1...1)
      try expectFloat(inputs[0], "input")
      return [inputs[0]]
    }

    package func gradient(_ node: NodeGradient) throws -> [Tensor?] {
      switch (function, saved) {
      case (.affine(let scale, _), _):
        [try node.cotangent.apply(Unary(.affine(scale: scale, shift: 0)))]
      case (_, .output): [try node.cotangent.apply(UnaryBackward(function), node.outputs[0])]
      default: [try node.cotangent.apply(UnaryBackward(function), node.inputs[0])]
      }
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }
  }
}

extension Operations.Unary {
  /// Four times an exponent of ``Function/pow(exponent:)``, where that is a small integer: then products
  /// and square roots raise to it, which vectorise. Local response normalisation raises to −¾.
  package static func quarters(_ exponent: Float) -> Int? {
    let quarters = exponent * 4
    return quarters == quarters.rounded() && Swift.abs(quarters) <= 16 ? Int(quarters) : nil
  }
}

extension Operations {
  /// The gradient arriving at the input of a ``Unary``.
  ///
  /// Inputs: the gradient at its output, and what ``Unary/saved`` names.
  package struct UnaryBackward: Operation {
    package let function: Unary.Function

    package init(_ function: Unary.Function) { self.function = function }

    package var name: String { Unary(function).name + "_backward" }
    package var detail: String { Unary(function).detail }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      try expectCount(inputs, 2...2)
      try expectShape(inputs[1], inputs[0].shape, "saved")
      return [inputs[0]]
    }

    package var inPlacePairs: [InPlacePair] { [InPlacePair(output: 0, input: 0)] }
  }
}

extension Tensor {
  /// max(x, 0)
  public func relu() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.relu)) }
  /// x where x > 0, else negativeSlope · x. Maas, Hannun, Ng, 2013.
  public func leakyReLU(negativeSlope: Float = 0.01) throws(ShapeError) -> Tensor {
    try apply(Operations.Unary(.leakyReLU(negativeSlope: negativeSlope)))
  }
  /// max(x, 0) + weight · min(x, 0) with one weight, or one per channel (axis 1).
  ///
  /// - Throws: ``TernCore/ShapeError`` where shapes, types or attributes do not fit.
  public func prelu(weight: Tensor) throws -> Tensor {
    guard weight.shape.rank == 1,
      weight.shape[0] == 1 || (shape.rank >= 2 && weight.shape[0] == shape[1])
    else {
      throw ShapeError(
        "prelu", "weight", expected: "one element or one per channel of \(shape)",
        got: "\(weight.shape)")
    }
    let perChannel = try weight.shape[0] == 1 ? weight : weight.alongAxis(1, rank: shape.rank)
    return try relu() - (-self).relu() * perChannel
  }
  /// x where x > 0, else alpha · (eˣ − 1). Clevert, Unterthiner, Hochreiter, 2015.
  public func elu(alpha: Float = 1) throws(ShapeError) -> Tensor {
    try apply(Operations.Unary(.elu(alpha: alpha)))
  }
  /// x · Φ(x), Φ the distribution function of N(0, 1); with `tanh` its approximation by tanh. Hendrycks and
  /// Gimpel, 2016.
  public func gelu(tanh: Bool = false) throws(ShapeError) -> Tensor {
    try apply(Operations.Unary(.gelu(tanh: tanh)))
  }
  /// x · σ(x). Elfwing, Uchibe, Doya, 2017.
  public func silu() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.silu)) }
  /// σ(x) = 1 / (1 + e⁻ˣ)
  public func sigmoid() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.sigmoid)) }
  /// The hyperbolic tangent.
  public func tanh() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.tanh)) }
  /// log(1 + e^(beta·x)) / beta; x itself where beta · x exceeds the threshold.
  public func softplus(beta: Float = 1, threshold: Float = 20) throws(ShapeError) -> Tensor {
    guard beta > 0 else {
      throw ShapeError("softplus", "beta", expected: "a positive number", got: "\(beta)")
    }
    return try apply(Operations.Unary(.softplus(beta: beta, threshold: threshold)))
  }
  /// x, at least `min` and at most `max`; no gradient beyond. See ``clamp(min:max:)``.
  public func hardtanh(min: Float = -1, max: Float = 1) throws(ShapeError) -> Tensor {
    guard min <= max else {
      throw ShapeError("hardtanh", "min_val", expected: "at most max_val \(max)", got: "\(min)")
    }
    return try apply(Operations.Unary(.hardtanh(min: min, max: max)))
  }
  /// eˣ
  public func exp() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.exp)) }
  /// The natural logarithm.
  public func log() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.log)) }
  /// √x
  public func sqrt() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.sqrt)) }
  /// 1 / √x
  public func rsqrt() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.rsqrt)) }
  /// 1 / x
  public func reciprocal() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.reciprocal)) }
  /// |x|; the derivative at 0 is 0.
  public func abs() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.abs)) }
  /// 1 where x > 0, −1 where x < 0, else 0: the derivative of ``abs()``.
  public func sign() throws(ShapeError) -> Tensor {
    try builder.constant(1).expand(shape).apply(Operations.UnaryBackward(.abs), self)
  }
  /// One of two tensors of a shape, by a scalar [] that is 1 or 0; whatever the other one holds, be it NaN.
  package func chooses(_ value: Tensor, else other: Tensor) throws(ShapeError) -> Tensor {
    // The gradient of a relu of the scalar, which passes nothing on where that is 0.
    func kept(_ tensor: Tensor, _ flag: Tensor) throws(ShapeError) -> Tensor {
      try tensor.apply(Operations.UnaryBackward(.relu), flag.expand(tensor.shape))
    }
    return try kept(value, self) + kept(other, affine(scale: -1, shift: 1))
  }
  /// x²
  public func square() throws(ShapeError) -> Tensor { try apply(Operations.Unary(.square)) }
  /// x to the power of `exponent`.
  public func pow(_ exponent: Float) throws(ShapeError) -> Tensor {
    try apply(Operations.Unary(.pow(exponent: exponent)))
  }
  /// x, at least `min` and at most `max`; the gradient passes where x is within them.
  public func clamp(min: Float = -.infinity, max: Float = .infinity) throws(ShapeError) -> Tensor {
    try apply(Operations.Unary(.clamp(min: min, max: max)))
  }
  /// scale · self + shift
  public func affine(scale: Float, shift: Float = 0) throws(ShapeError) -> Tensor {
    try apply(Operations.Unary(.affine(scale: scale, shift: shift)))
  }

  /// −x
  public static prefix func - (x: Tensor) throws(ShapeError) -> Tensor { try x.affine(scale: -1) }
}

extension OperationSpec {
  static let elementwise: [OperationSpec] = [
    OperationSpec("relu") { _, x in [try x.required("input").relu()] },
    OperationSpec("leaky_relu") { a, x in
      [
        try x.required("input").leakyReLU(
          negativeSlope: Float(a.double("negative_slope", default: 0.01)))
      ]
    },
    OperationSpec("prelu", inputs: ["input", "weight"]) { _, x in
      [try x.required("input").prelu(weight: x.required("weight"))]
    },
    OperationSpec("elu") { a, x in
      [try x.required("input").elu(alpha: Float(a.double("alpha", default: 1)))]
    },
    OperationSpec("gelu") { a, x in
      let form = try a.string("approximate", default: "none", oneOf: ["none", "tanh"])
      return [try x.required("input").gelu(tanh: form == "tanh")]
    },
    OperationSpec("silu") { _, x in [try x.required("input").silu()] },
    OperationSpec("sigmoid") { _, x in [try x.required("input").sigmoid()] },
    OperationSpec("tanh") { _, x in [try x.required("input").tanh()] },
    OperationSpec("softplus") { a, x in
      [
        try x.required("input").softplus(
          beta: Float(a.double("beta", default: 1)),
          threshold: Float(a.double("threshold", default: 20)))
      ]
    },
    OperationSpec("hardtanh") { a, x in
      [
        try x.required("input").hardtanh(
          min: Float(a.double("min_val", default: -1)), max: Float(a.double("max_val", default: 1)))
      ]
    },
    OperationSpec("exp") { _, x in [try x.required("input").exp()] },
    OperationSpec("log") { _, x in [try x.required("input").log()] },
    OperationSpec("sqrt") { _, x in [try x.required("input").sqrt()] },
    OperationSpec("rsqrt") { _, x in [try x.required("input").rsqrt()] },
    OperationSpec("reciprocal") { _, x in [try x.required("input").reciprocal()] },
    OperationSpec("abs") { _, x in [try x.required("input").abs()] },
    OperationSpec("neg") { _, x in [try -x.required("input")] },
    OperationSpec("square") { _, x in [try x.required("input").square()] },
    OperationSpec("pow") { a, x in [try x.required("input").pow(Float(a.double("exponent")))] },
    OperationSpec("clamp") { a, x in
      [
        try x.required("input").clamp(
          min: Float(a.double("min", default: -.infinity)),
          max: Float(a.double("max", default: .infinity)))
      ]
    },
  ]
}
