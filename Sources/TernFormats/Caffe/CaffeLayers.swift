import Foundation
import TernCore
import TernGraph
import TernNN

/// How a layer of Caffe's is computed.
typealias CaffeBody = @Sendable (CaffeCall) throws -> [Tensor]

/// The layers that are known, by type.
///
/// Source: BVLC's documentation of layers and the defaults of caffe.proto.
enum CaffeLayers {
  static func named(_ type: String) -> CaffeBody? {
    families.lazy.compactMap { $0[type] }.first
  }

  static var names: [String] { families.flatMap(\.keys).sorted() }

  private static let families = [elementwise, weighted, windows, movement]

  static let extents = 1...1 << 24

  private static func unary(
    _ body: @escaping @Sendable (CaffeCall, Tensor) throws -> Tensor
  ) -> CaffeBody { { [try body($0, $0.input())] } }

  /// A number of a layer's settings, in the range of float32.
  private static func number(
    _ call: CaffeCall, _ settings: String, _ name: String, _ standard: Double
  ) throws -> Float {
    Float(try call.layer.settings(settings).number(name) ?? standard)
  }

  // MARK: Element by element

  static let elementwise: [String: CaffeBody] = [
    "ReLU": unary { call, x in
      let slope = try number(call, "relu_param", "negative_slope", 0)
      return try slope == 0 ? x.relu() : x.leakyReLU(negativeSlope: slope)
    },
    "ELU": unary { call, x in try x.elu(alpha: number(call, "elu_param", "alpha", 1)) },
    "PReLU": unary { call, x in
      let settings = try call.layer.settings("prelu_param")
      let isShared = try settings.truth("channel_shared", false)
      guard x.shape.rank >= 2 else { throw call.fault("on an input of shape \(x.shape)") }
      let shape: Shape = [isShared ? 1 : x.shape[1]]
      let slope = try call.parameter(
        0, "weight", shape, call.filler(settings, "filler", shape, standard: 0.25))
      return try x.prelu(weight: slope)
    },
    "Sigmoid": unary { try $1.sigmoid() },
    "TanH": unary { try $1.tanh() },
    "AbsVal": unary { try $1.abs() },
    "BNLL": unary { try $1.softplus() },
    "Power": unary { call, x in
      let (scale, shift) = (
        try number(call, "power_param", "scale", 1), try number(call, "power_param", "shift", 0)
      )
      let power = try number(call, "power_param", "power", 1)
      let y = scale == 1 && shift == 0 ? x : try x.affine(scale: scale, shift: shift)
      return power == 1 ? y : try y.pow(power)
    },
    "Exp": unary { call, x in
      let factor = try logarithm(call, "exp_param")
      let scale = try number(call, "exp_param", "scale", 1)
      let shift = try number(call, "exp_param", "shift", 0)
      return try x.affine(scale: scale * factor, shift: shift * factor).exp()
    },
    "Log": unary { call, x in
      let factor = try logarithm(call, "log_param")
      let scale = try number(call, "log_param", "scale", 1)
      let shift = try number(call, "log_param", "shift", 0)
      return try x.affine(scale: scale, shift: shift).log().affine(scale: 1 / factor)
    },
    "Dropout": unary { call, x in
      let ratio = try number(call, "dropout_param", "dropout_ratio", 0.5)
      guard (0..<1).contains(ratio) else { throw call.fault("the ratio \(ratio)") }
      guard call.context.mode == .training, ratio > 0, let step = call.context.step else {
        return x
      }
      return try x.dropout(
        probability: ratio, seed: call.context.seed, stream: call.context.nextDropoutStream(),
        step: step)
    },
    "Softmax": unary { call, x in
      let axis = try call.layer.settings("softmax_param").integer("axis", in: -8...8) ?? 1
      return try x.softmax(dim: call.axis(axis, x))
    },
    "Eltwise": { call in
      let settings = try call.layer.settings("eltwise_param")
      guard let first = call.inputs.first, call.inputs.count >= 2 else {
        throw call.fault("expected at least two bottoms")
      }
      guard call.inputs.allSatisfy({ $0.shape == first.shape }) else {
        throw call.fault(
          "bottoms of shapes \(call.inputs.map { "\($0.shape)" }.joined(separator: ", "))")
      }
      let factors = try settings.all("coeff").map { Float(try $0.number()) }
      switch try settings.word("operation") ?? "SUM" {
      case "PROD", "0": return [try call.inputs.dropFirst().reduce(first) { try $0 * $1 }]
      case "MAX", "2": return [try call.inputs.dropFirst().reduce(first) { try $0.maximum($1) }]
      case "SUM", "1":
        guard factors.isEmpty || factors.count == call.inputs.count else {
          throw call.fault("\(factors.count) coefficients for \(call.inputs.count) bottoms")
        }
        let terms = try call.inputs.enumerated().map { index, x in
          factors.isEmpty || factors[index] == 1 ? x : try x.affine(scale: factors[index])
        }
        return [try terms.dropFirst().reduce(terms[0]) { try $0 + $1 }]
      case let other: throw call.fault("the operation \(other) is not known")
      }
    },
  ]

  /// The natural logarithm of a layer's base; 1 for e, which −1 stands for.
  private static func logarithm(_ call: CaffeCall, _ settings: String) throws -> Float {
    let base = try number(call, settings, "base", -1)
    guard base == -1 || base > 0 && base != 1 else { throw call.fault("the base \(base)") }
    return base == -1 ? 1 : log(base)
  }

  // MARK: With parameters

  static let weighted: [String: CaffeBody] = [
    "InnerProduct": unary { call, x in
      let settings = try call.layer.settings("inner_product_param")
      let count = try outputCount(settings, call)
      let axis = try call.axis(settings.integer("axis", in: -8...8) ?? 1, x)
      let inner = x.shape.elementCount(in: axis..<x.shape.rank)
      let isTransposed = try settings.truth("transpose", false)
      let shape: Shape = isTransposed ? [inner, count] : [count, inner]
      let weight = try call.parameter(
        0, "weight", shape, call.filler(settings, "weight_filler", shape))
      let bias = try bias(settings, call, count: count)
      let rows = try x.reshape(Shape(x.shape.dimensions[..<axis] + [inner]))
      call.context.endField(rows)
      return try rows.linear(weight: isTransposed ? weight.transpose(0, 1) : weight, bias: bias)
    },
    "Convolution": unary { call, x in
      let (settings, count, kernel, stride, padding, dilation, groups) = try convolution(call, x)
      let shape: Shape = [count, x.shape[1] / groups, kernel[0], kernel[1]]
      let weight = try call.parameter(
        0, "weight", shape, call.filler(settings, "weight_filler", shape))
      let y = try x.conv2d(
        weight: weight, bias: bias(settings, call, count: count), stride: stride,
        padding: .symmetric(padding), dilation: dilation, groups: groups)
      call.context.recordWindow(
        y, from: x, kernel: kernel.max()!, stride: stride.max()!, dilation: dilation.max()!)
      return y
    },
    "Deconvolution": unary { call, x in
      let (settings, count, kernel, stride, padding, dilation, groups) = try convolution(call, x)
      let shape: Shape = [x.shape[1], count / groups, kernel[0], kernel[1]]
      let weight = try call.parameter(
        0, "weight", shape, call.filler(settings, "weight_filler", shape))
      return try x.convTranspose2d(
        weight: weight, bias: bias(settings, call, count: count), stride: stride,
        padding: padding, dilation: dilation, groups: groups)
    },
    "BatchNorm": unary { call, x in
      let settings = try call.layer.settings("batch_norm_param")
      guard x.shape.rank >= 2 else { throw call.fault("on an input of shape \(x.shape)") }
      let channels: Shape = [x.shape[1]]
      let mean = try call.parameter(0, "running_mean", channels, .zeros, isTrainable: false)
      let variance = try call.parameter(1, "running_var", channels, .ones, isTrainable: false)
      let epsilon = Float(try settings.number("eps") ?? 1e-5)
      // What stays of the statistics.
      let fraction = Float(try settings.number("moving_average_fraction") ?? 0.999)
      guard (0...1).contains(fraction), epsilon >= 0 else {
        throw call.fault("moving_average_fraction \(fraction), eps \(epsilon)")
      }
      let context = call.context
      guard context.mode == .training, try !settings.truth("use_global_stats", false) else {
        return try x.batchNormInference(
          runningMean: mean, runningVariance: variance, epsilon: epsilon)
      }
      let result = try context.batchNormTraining(
        x, runningMean: context.builder.assignedValue(of: mean),
        runningVariance: context.builder.assignedValue(of: variance), momentum: 1 - fraction,
        epsilon: epsilon)
      context.builder.assign(mean, result.runningMean!)
      context.builder.assign(variance, result.runningVariance!)
      return result.output
    },
    "Scale": { call in
      let settings = try call.layer.settings("scale_param")
      return [
        try scaled(call, settings, standard: 1, hasBias: settings.truth("bias_term", false)) {
          try $0 * $1
        }
      ]
    },
    "Bias": { call in
      let settings = try call.layer.settings("bias_param")
      return [try scaled(call, settings, standard: 0, hasBias: false) { try $0 + $1 }]
    },
  ]

  /// The numbers along some axes of the first bottom, learnt or the second bottom, and what becomes of them.
  private static func scaled(
    _ call: CaffeCall, _ settings: PrototxtMessage, standard: Float, hasBias: Bool,
    _ body: (Tensor, Tensor) throws -> Tensor
  ) throws -> Tensor {
    guard let x = call.inputs.first, call.inputs.count <= 2 else {
      throw call.fault("expected one or two bottoms")
    }
    let axis = try call.axis(settings.integer("axis", in: -8...8) ?? 1, x)
    let count = try settings.integer("num_axes", in: -1...8) ?? 1
    let end =
      call.inputs.count == 2
      ? axis + call.inputs[1].shape.rank : count < 0 ? x.shape.rank : axis + count
    guard end <= x.shape.rank else { throw call.fault("axes \(axis) to \(end) of \(x.shape)") }
    let shape = Shape(Array(x.shape.dimensions[axis..<end]))
    /// Seen along the axes of the bottom.
    func spread(_ tensor: Tensor) throws -> Tensor {
      let ones = [Int](repeating: 1, count: x.shape.rank - end)
      return try tensor.reshape(Shape(tensor.shape.dimensions + ones))
    }
    let factors =
      try call.inputs.count == 2
      ? call.inputs[1]
      : call.parameter(
        0, call.layer.type == "Bias" ? "bias" : "weight", shape,
        call.filler(settings, "filler", shape, standard: standard))
    guard factors.shape == shape else {
      throw call.fault("a second bottom of shape \(factors.shape), expected \(shape)")
    }
    var y = try body(x, spread(factors))
    if hasBias {
      let bias = try call.parameter(
        call.inputs.count == 2 ? 0 : 1, "bias", shape, call.filler(settings, "bias_filler", shape))
      y = try y + spread(bias)
    }
    return y
  }

  /// How many outputs a layer of weights has.
  static func outputCount(_ layer: CaffeLayer) throws -> Int? {
    let settings = layer.type == "Convolution" ? "convolution_param" : "inner_product_param"
    return try layer.settings(settings).integer("num_output", in: extents)
  }

  private static func outputCount(_ settings: PrototxtMessage, _ call: CaffeCall) throws -> Int {
    guard let count = try settings.integer("num_output", in: extents) else {
      throw call.fault("no num_output")
    }
    return call.outputCount ?? count
  }

  private static func bias(
    _ settings: PrototxtMessage, _ call: CaffeCall, count: Int
  ) throws -> Tensor? {
    guard try settings.truth("bias_term", true) else { return nil }
    return try call.parameter(1, "bias", [count], call.filler(settings, "bias_filler", [count]))
  }

  private static func convolution(
    _ call: CaffeCall, _ x: Tensor
  ) throws -> (
    settings: PrototxtMessage, count: Int, kernel: [Int], stride: [Int], padding: [Int],
    dilation: [Int], groups: Int
  ) {
    let settings = try call.layer.settings("convolution_param")
    guard x.shape.rank == 4 else {
      throw call.fault("on an input of shape \(x.shape), which is no picture")
    }
    let count = try outputCount(settings, call)
    let groups = try settings.integer("group", in: extents) ?? 1
    guard x.shape[1] % groups == 0, count % groups == 0 else {
      throw call.fault("\(groups) groups of \(x.shape[1]) and \(count) channels")
    }
    let kernel = try call.pair(settings, "kernel_size", "kernel", standard: nil)
    guard kernel.allSatisfy({ $0 >= 1 }) else { throw call.fault("a kernel of \(kernel)") }
    let dilation = try settings.integers("dilation", in: 1...1 << 15)
    guard dilation.count <= 2 else { throw call.fault("dilation for \(dilation.count) axes") }
    return (
      settings, count, kernel, try call.pair(settings, "stride", "stride", standard: 1),
      try call.pair(settings, "pad", "pad", standard: 0),
      dilation.isEmpty ? [1, 1] : dilation.count == 1 ? [dilation[0], dilation[0]] : dilation,
      groups
    )
  }
}
