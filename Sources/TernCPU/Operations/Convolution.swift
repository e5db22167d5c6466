import COneDNN
import TernCore
import TernGraph

extension Conv2D: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let geometry = try geometry(request.inputs.map(\.type))
    return [try geometry.formats.source.layout(geometry.inputShape, request.context), nil, nil]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let geometry = try geometry(request.inputs.map(\.type))
    let primitives = try ConvolutionPrimitives(geometry, request.context)
    let forward = try primitives.forward(weights: nil, hasBias: request.inputs.count == 3)
    let inputs = [
      try primitives.sourceLayout,
      try request.context.layouts.layout(for: forward.descriptor(of: .weights)), .dense,
    ]
    return LayoutAssignment(
      inputs: Array(inputs.prefix(request.inputs.count)),
      outputs: [try primitives.destinationLayout])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let hasBias = node.inputs.count == 3
    let primitives = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), context, source: node.inputs[0],
      destination: node.outputs[0])
    let descriptor = try primitives.forward(
      weights: primitives.weights(node.inputs[1]), hasBias: hasBias)
    return context.lowering(
      of: descriptor, inputs: [(.source, 0), (.weights, 1)] + (hasBias ? [(.bias, 2)] : []),
      outputs: [(.destination, 0)])
  }
}

extension Conv2DBackwardInput: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let geometry = try geometry(request.inputs.map(\.type))
    return [
      try geometry.formats.destination.layout(geometry.outputShape, request.context), nil,
    ]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let primitives = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context)
    let backward = try primitives.backwardData(weights: nil)
    return LayoutAssignment(
      inputs: [
        try primitives.destinationLayout,
        try request.context.layouts.layout(for: backward.descriptor(of: .weights)),
      ], outputs: [try primitives.sourceLayout])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let primitives = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), context, source: node.outputs[0],
      destination: node.inputs[0])
    let descriptor = try primitives.backwardData(weights: primitives.weights(node.inputs[1]))
    return context.lowering(
      of: descriptor, inputs: [(.destinationGradient, 0), (.weights, 1)],
      outputs: [(.sourceGradient, 0)])
  }
}

extension Conv2DBackwardWeight: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let geometry = try geometry(request.inputs.map(\.type))
    return [
      try geometry.formats.source.layout(geometry.inputShape, request.context),
      try geometry.formats.destination.layout(geometry.outputShape, request.context),
    ]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let primitives = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context)
    let backward = try primitives.backwardWeights(weights: nil, hasBias: hasBias)
    let weights = try request.context.layouts.layout(
      for: backward.descriptor(of: .weightsGradient))
    return LayoutAssignment(
      inputs: [try primitives.sourceLayout, try primitives.destinationLayout],
      outputs: [weights] + (hasBias ? [.dense] : []))
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let primitives = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), context, source: node.inputs[0],
      destination: node.inputs[1])
    let descriptor = try primitives.backwardWeights(
      weights: primitives.weights(node.outputs[0]), hasBias: hasBias)
    return context.lowering(
      of: descriptor, inputs: [(.source, 0), (.destinationGradient, 1)],
      outputs: [(.weightsGradient, 0)] + (hasBias ? [(.biasGradient, 1)] : []))
  }
}

extension Conv2DGeometry {
  /// The formats in which oneDNN convolves fastest, by measurement with AVX-512. They depend on the
  /// channels alone, so that neighbouring convolutions agree on the tensor between them.
  var formats: (source: ChannelFormat, destination: ChannelFormat) {
    // An image: its one to three channels would fill a fraction of a block, and oneDNN has kernels
    // that read planes and write blocks.
    if inChannels <= 3, groups == 1 { return (.dense, .blocked) }
    // A few channels: one block would be mostly padding.
    if max(inChannels, outChannels) <= ChannelFormat.blockSize {
      return (.channelsLast, .channelsLast)
    }
    return (.blocked, .blocked)
  }
}

/// The three passes of one convolution.
private struct ConvolutionPrimitives {
  private let geometry: Conv2DGeometry
  private let context: CPUContext
  private let source: MemoryDescriptor
  private let destination: MemoryDescriptor
  private var window: tern_dnnl_window

  /// A convolution whose tensors are in the formats given, the fastest ones where `nil`.
  init(
    _ geometry: Conv2DGeometry, _ context: CPUContext, source: Operand? = nil,
    destination: Operand? = nil
  ) throws {
    self.geometry = geometry
    self.context = context
    func descriptor(_ operand: Operand?, _ format: ChannelFormat, _ shape: Shape) throws
      -> MemoryDescriptor
    {
      // Two formats of one layout are the same memory; oneDNN still wants to hear its favourite.
      if let operand, operand.layout != (try format.layout(shape, context)) {
        return try context.descriptor(operand)
      }
      return try format.descriptor(shape)
    }
    self.source = try descriptor(source, geometry.formats.source, geometry.inputShape)
    self.destination = try descriptor(
      destination, geometry.formats.destination, geometry.outputShape)
    let w = geometry.window
    window = tern_dnnl_window(
      strides: (Int64(w.strideHeight), Int64(w.strideWidth)),
      dilations: (Int64(w.dilationHeight - 1), Int64(w.dilationWidth - 1)),
      padding: (Int64(w.paddingHeight), Int64(w.paddingWidth)))
  }

  var sourceLayout: Layout {
    get throws { try geometry.formats.source.layout(geometry.inputShape, context) }
  }
  var destinationLayout: Layout {
    get throws { try geometry.formats.destination.layout(geometry.outputShape, context) }
  }

  /// The weights' extents as oneDNN wants them: with an axis for the groups where there are several.
  private var weightShape: Shape {
    let g = geometry
    guard g.groups > 1 else { return g.weightShape }
    return [
      g.groups, g.outChannels / g.groups, g.inChannels / g.groups, g.kernelHeight, g.kernelWidth,
    ]
  }

  func weights(_ operand: Operand) throws -> MemoryDescriptor {
    operand.layout == .dense
      ? try MemoryDescriptor(dense: TensorType(weightShape)) : try context.descriptor(operand)
  }

  private func bias(_ hasBias: Bool) throws -> MemoryDescriptor {
    // A zero descriptor stands for no bias.
    hasBias
      ? try MemoryDescriptor(dense: TensorType([geometry.outChannels]))
      : MemoryDescriptor(dnnl_memory_desc_t())
  }

  /// - Parameter weights: the format of the weights, the fastest where `nil`.
  func forward(weights: MemoryDescriptor?, hasBias: Bool) throws -> PrimitiveDescriptor {
    try PrimitiveDescriptor("convolution_forward", context.engine) {
      var (x, y, window) = (source.raw, destination.raw, window)
      var w = try (weights ?? .any(weightShape)).raw
      var bias = try bias(hasBias).raw
      return tern_dnnl_convolution_forward($0, $1, $2, &x, &w, &bias, &y, &window)
    }
  }

  func backwardData(weights: MemoryDescriptor?) throws -> PrimitiveDescriptor {
    let hint = try forward(weights: nil, hasBias: false)
    return try PrimitiveDescriptor("convolution_backward_data", context.engine) {
      var (dx, dy, window) = (source.raw, destination.raw, window)
      var w = try (weights ?? .any(weightShape)).raw
      return tern_dnnl_convolution_backward_data(
        $0, $1, $2, &dx, &w, &dy, &window, hint.handle)
    }
  }

  func backwardWeights(weights: MemoryDescriptor?, hasBias: Bool) throws -> PrimitiveDescriptor {
    let hint = try forward(weights: nil, hasBias: false)
    return try PrimitiveDescriptor("convolution_backward_weights", context.engine) {
      var (x, dy, window) = (source.raw, destination.raw, window)
      var dw = try (weights ?? .any(weightShape)).raw
      var bias = try bias(hasBias).raw
      return tern_dnnl_convolution_backward_weights(
        $0, $1, $2, &x, &dw, &bias, &dy, &window, hint.handle)
    }
  }
}
