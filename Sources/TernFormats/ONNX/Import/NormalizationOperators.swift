import TernCore
import TernGraph
import TernNN

extension ONNXOperators {
  static let normalizations: [String: ONNXOperator] = [
    "BatchNormalization": .device(batchNormalization),
    "InstanceNormalization": .device { call in
      let x = try call.tensor(0)
      guard x.shape.rank >= 2 else { throw ONNXFault.invalid("on an input of \(x.shape)") }
      return try call.result(
        try x.groupNorm(
          groups: x.shape[1], weight: call.weight(1), bias: call.weight(2),
          epsilon: call.float("epsilon", 1e-5)))
    },
    "GroupNormalization": .device { call in
      let x = try call.tensor(0)
      let groups = try call.int("num_groups", 1)
      var (weight, bias) = (try call.weight(1), try call.weight(2))
      guard x.shape.rank >= 2, groups > 0, x.shape[1] % groups == 0 else {
        throw ONNXFault.invalid("\(groups) groups of \(x.shape)")
      }
      if call.opset < 21, weight.shape == [groups] {
        // One number for each group, before opset 21.
        let channels = x.shape[1] / groups
        weight = try weight.reshape([groups, 1]).expand([groups, channels]).reshape([x.shape[1]])
        bias = try bias.reshape([groups, 1]).expand([groups, channels]).reshape([x.shape[1]])
      }
      return try call.result(
        try x.groupNorm(
          groups: groups, weight: weight, bias: bias, epsilon: call.float("epsilon", 1e-5)))
    },
    "LayerNormalization": .device { call in
      let x = try call.tensor(0)
      let axis = try call.axis(call.int("axis", -1), rank: x.shape.rank)
      let epsilon = try call.float("epsilon", 1e-5)
      let inner = Array(x.shape.dimensions[axis...])
      var y = try x.layerNorm(inner, epsilon: epsilon)
      y = try y * call.weight(1)
      if let bias = try call.optionalWeight(2) { y = try y + bias }
      guard call.node.outputs.count > 1 else { return try call.result(y) }
      let axes = Array(axis..<x.shape.rank)
      let mean = try x.mean(axes, keepsAxes: true)
      let variance = try (x - mean).square().mean(axes, keepsAxes: true)
      let type = try call.type(0)
      return [
        .device(y, type), .device(mean, type),
        .device(try variance.affine(scale: 1, shift: epsilon).rsqrt(), type),
      ]
    },
    "RMSNormalization": .device { call in
      let x = try call.tensor(0)
      let axis = try call.axis(call.int("axis", -1), rank: x.shape.rank)
      let squares = try x.square().mean(Array(axis..<x.shape.rank), keepsAxes: true)
      let scale = try squares.affine(scale: 1, shift: call.float("epsilon", 1e-5)).rsqrt()
      return try call.result(try x * scale * call.weight(1))
    },
    "MeanVarianceNormalization": .device { call in
      let x = try call.tensor(0)
      let axes = try call.axes(call.ints("axes") ?? [0, 2, 3], rank: x.shape.rank)
      let centred = try x - x.mean(axes, keepsAxes: true)
      let deviation = try centred.square().mean(axes, keepsAxes: true).sqrt()
      return try call.result(try centred / deviation.affine(scale: 1, shift: 1e-9))
    },
    "LpNormalization": .device { call in
      let x = try call.tensor(0)
      let axis = try call.axis(call.int("axis", -1), rank: x.shape.rank)
      let norm =
        try call.int("p", 2) == 1
        ? x.abs().sum([axis], keepsAxes: true)
        : x.square().sum([axis], keepsAxes: true).sqrt()
      return try call.result(try x / norm)
    },
    "LRN": .device { call in
      let x = try call.tensor(0)
      let size = try call.int("size", 1)
      // Of an even size ONNX has the shorter side first, Tern the longer.
      guard size % 2 == 1 else {
        throw ONNXFault.unsupported("over \(size) channels, an even number")
      }
      return try call.result(
        try x.localResponseNorm(
          size: size, alpha: call.float("alpha", 1e-4), beta: call.float("beta", 0.75),
          k: call.float("bias", 1)))
    },
  ]

  /// Statistics are of the batch in training, and in a node that says so; else the running ones. What is exported to be
  /// trained says so of every node, and follows what the network is built for.
  private static func batchNormalization(_ call: ONNXCall) throws -> [ONNXValue] {
    let x = try call.tensor(0)
    let (weight, bias) = (try call.weight(1), try call.weight(2))
    let (mean, variance) = (try call.statistic(3), try call.statistic(4))
    let epsilon = try call.float("epsilon", 1e-5)
    // ONNX's momentum is the part that stays.
    let momentum = 1 - (try call.float("momentum", 0.9))
    let type = try call.type(0)
    if try call.flag("training_mode"), !call.isOfNetwork {
      guard x.shape.rank >= 2 else { throw ONNXFault.invalid("on an input of \(x.shape)") }
      guard call.context.statisticsExchange == nil else {
        throw ONNXFault.invalid("in training form, by the statistics of several processes")
      }
      // The running variance moves by the biased variance of the batch here, by the unbiased one in PyTorch.
      let count = Float(x.shape.elementCount / x.shape[1])
      let result = try x.batchNormTraining(
        runningMean: mean, runningVariance: nil, weight: weight, bias: bias, momentum: momentum,
        epsilon: epsilon)
      let axes = [0] + (2..<x.shape.rank)
      let centred = try x - x.mean(axes, keepsAxes: true)
      let spread = try centred.square().sum(axes).affine(scale: 1 / count)
      let moved = try variance.affine(scale: 1 - momentum) + spread.affine(scale: momentum)
      return [
        .device(result.output, type), .device(result.runningMean!, type), .device(moved, type),
      ]
    }
    let builder = call.builder
    let isVariable = [mean, variance].allSatisfy { builder.graph[$0.id].source == .variable }
    guard call.context.mode == .training, isVariable,
      !call.context.keeps(named: [call.node.inputs[1], call.node.inputs[2]])
    else {
      return [
        .device(
          try x.batchNormInference(
            runningMean: mean, runningVariance: variance, weight: weight, bias: bias,
            epsilon: epsilon), type), .device(mean, type), .device(variance, type),
      ]
    }
    let result = try call.context.batchNormTraining(
      x, runningMean: builder.assignedValue(of: mean),
      runningVariance: builder.assignedValue(of: variance), weight: weight, bias: bias,
      momentum: momentum, epsilon: epsilon)
    builder.assign(mean, result.runningMean!)
    builder.assign(variance, result.runningVariance!)
    return [
      .device(result.output, type), .device(result.runningMean!, type),
      .device(result.runningVariance!, type),
    ]
  }
}

extension ONNXCall {
  /// Whether a normalisation is one of a network's whose statistics nothing else reads.
  fileprivate var isOfNetwork: Bool {
    guard importer.followsMode else { return false }
    let statistics = node.outputs.dropFirst().filter { !$0.isEmpty }
    return !importer.model.graph.nodes.contains { $0.inputs.contains(where: statistics.contains) }
  }
}
