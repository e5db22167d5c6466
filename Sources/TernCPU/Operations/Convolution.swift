import TernCore
import TernGraph

extension Operations.Conv2D: RectifiableOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .forward, request.context)
    return [favourite.source, nil, nil]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .forward, request.context)
    let inputs = [favourite.source, favourite.weights, .dense]
    return LayoutAssignment(
      inputs: Array(inputs.prefix(request.inputs.count)), outputs: [favourite.destination])
  }

  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    let hasBias = node.inputs.count == 3
    let after: [PostOperation] = rectifies ? [.relu] : []
    let convolution = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), .forward, context, source: node.inputs[0],
      destination: node.outputs[0])
    if let paired = convolution.paired { return try paired.forward(hasBias: hasBias, after) }
    return context.lowering(
      of: try convolution.descriptor(weights: node.inputs[1], hasBias: hasBias, after),
      inputs: [(.source, 0), (.weights, 1)] + (hasBias ? [(.bias, 2)] : []),
      outputs: [(.destination, 0)])
  }
}

extension Operations.Conv2DBackwardInput: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardInput, request.context)
    return [favourite.destination, nil]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardInput, request.context)
    return LayoutAssignment(
      inputs: [favourite.destination, favourite.weights], outputs: [favourite.source])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let convolution = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), .backwardInput, context, source: node.outputs[0],
      destination: node.inputs[0])
    if let paired = convolution.paired { return try paired.forward(hasBias: false, []) }
    return context.lowering(
      of: try convolution.descriptor(weights: node.inputs[1], hasBias: false),
      inputs: [(.destinationGradient, 0), (.weights, 1)], outputs: [(.sourceGradient, 0)])
  }
}

extension Operations.Conv2DBackwardWeight: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardWeight, request.context)
    return [favourite.source, favourite.destination]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardWeight, request.context)
    return LayoutAssignment(
      inputs: [favourite.source, favourite.destination],
      outputs: [favourite.weights] + (hasBias ? [.dense] : []))
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let convolution = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), .backwardWeight, context, source: node.inputs[0],
      destination: node.inputs[1])
    if let paired = convolution.paired { return try paired.backwardWeight(hasBias: hasBias) }
    if let tiled = try TiledWeightGradient(
      geometry(node.inputs.map(\.type)), context, source: ChannelFormat(node.inputs[0], context),
      destination: ChannelFormat(node.inputs[1], context),
      weights: context.descriptor(node.outputs[0]))
    {
      return tiled.lowering(hasBias: hasBias)
    }
    let parts = try convolution.weightGradient(weights: node.outputs[0], hasBias: hasBias)
    let biasCount = hasBias ? node.outputs[1].elementCount : 0
    return Lowering(
      workspaceByteCount: parts.workspaceByteCount(biasCount: biasCount),
      implementation: parts.implementation
    ) { addresses in
      try parts.bind(
        source: addresses.inputs[0], destinationGradient: addresses.inputs[1],
        weights: addresses.output(0), bias: hasBias ? addresses.output(1) : nil,
        biasCount: biasCount, workspace: addresses.workspace)
    }
  }
}
