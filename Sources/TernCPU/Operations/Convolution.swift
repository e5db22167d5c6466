import TernCore
import TernGraph
import TernRuntime

extension Operations.Conv2D: RectifiableOperation, CPUCandidateOperation {
  func candidateProblem(_ inputs: [TensorType], _ context: CPUContext) throws -> CandidateProblem? {
    try geometry(inputs).candidates(.forward, inputs[0].dataType, context)
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .forward, request.inputs[0].type.dataType,
      request.context)
    return [favourite.source, nil, nil]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .forward, request.inputs[0].type.dataType,
      request.context)
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
      outputs: [(.destination, 0)]
    ).named(convolution.libraryName)
  }
}

extension Operations.Conv2DBackwardInput: CPUCandidateOperation {
  func candidateProblem(_ inputs: [TensorType], _ context: CPUContext) throws -> CandidateProblem? {
    try geometry(inputs).candidates(.backwardInput, inputs[0].dataType, context)
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardInput, request.inputs[0].type.dataType,
      request.context)
    return [favourite.destination, nil]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardInput, request.inputs[0].type.dataType,
      request.context)
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
      inputs: [(.destinationGradient, 0), (.weights, 1)], outputs: [(.sourceGradient, 0)]
    ).named(convolution.libraryName)
  }
}

extension Operations.Conv2DBackwardWeight: CPUCandidateOperation {
  func candidateProblem(_ inputs: [TensorType], _ context: CPUContext) throws -> CandidateProblem? {
    try geometry(inputs).candidates(.backwardWeight, inputs[0].dataType, context)
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardWeight, request.inputs[0].type.dataType,
      request.context)
    return [favourite.source, favourite.destination]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let favourite = try ConvolutionPrimitives.favouriteLayouts(
      geometry(request.inputs.map(\.type)), .backwardWeight, request.inputs[0].type.dataType,
      request.context)
    return LayoutAssignment(
      inputs: [favourite.source, favourite.destination],
      outputs: [favourite.weights] + (hasBias ? [.dense] : []))
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let convolution = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), .backwardWeight, context, source: node.inputs[0],
      destination: node.inputs[1])
    let tiled =
      node.inputs[0].type.dataType == .float32
      ? try TiledWeightGradient(
        geometry(node.inputs.map(\.type)), context, source: ChannelFormat(node.inputs[0], context),
        destination: ChannelFormat(node.inputs[1], context),
        weights: context.descriptor(node.outputs[0])) : nil
    let choice = convolution.weightGradientChoice(hasTiles: tiled != nil)
    if let paired = convolution.paired {
      return try paired.backwardWeight(
        hasBias: hasBias, isCut: choice == ConvolutionCandidates.pairedParts)
    }
    if let tiled, choice == ConvolutionCandidates.tiles { return tiled.lowering(hasBias: hasBias) }
    let parts = try convolution.weightGradient(
      weights: node.outputs[0], hasBias: hasBias, isCut: choice == ConvolutionCandidates.parts)
    let biasCount = hasBias ? node.outputs[1].elementCount : 0
    return Lowering(
      workspaceByteCount: parts.workspaceByteCount(biasCount: biasCount),
      implementation: Lowering.name(choice, calling: parts.implementation)
    ) { addresses in
      try parts.bind(
        source: addresses.inputs[0], destinationGradient: addresses.inputs[1],
        weights: addresses.output(0), bias: hasBias ? addresses.output(1) : nil,
        biasCount: biasCount, workspace: addresses.workspace)
    }
  }
}
