import TernCore
import TernGraph

extension Conv2D: RectifiableOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let convolution = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context)
    return [try convolution.layouts.source, nil, nil]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let convolution = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context)
    let weights = try convolution.weightLayout(.forward)
    return LayoutAssignment(
      inputs: Array(
        [try convolution.layouts.source, weights, .dense].prefix(request.inputs.count)),
      outputs: [try convolution.layouts.destination])
  }

  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    let hasBias = node.inputs.count == 3
    let after: [PostOperation] = rectifies ? [.relu] : []
    let convolution = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), context, source: node.inputs[0],
      destination: node.outputs[0])
    if let paired = convolution.paired { return try paired.forward(hasBias: hasBias, after) }
    let descriptor = try convolution.forward(
      weights: convolution.weights(node.inputs[1]), hasBias: hasBias, after)
    return context.lowering(
      of: descriptor, inputs: [(.source, 0), (.weights, 1)] + (hasBias ? [(.bias, 2)] : []),
      outputs: [(.destination, 0)])
  }
}

extension Conv2DBackwardInput: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let convolution = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context, pass: .backwardInput)
    return [try convolution.layouts.destination, nil]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let convolution = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context, pass: .backwardInput)
    return LayoutAssignment(
      inputs: [
        try convolution.layouts.destination, try convolution.weightLayout(.backwardInput),
      ],
      outputs: [try convolution.layouts.source])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let convolution = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), context, pass: .backwardInput, source: node.outputs[0],
      destination: node.inputs[0])
    let descriptor = try convolution.backwardInput(weights: convolution.weights(node.inputs[1]))
    return context.lowering(
      of: descriptor, inputs: [(.destinationGradient, 0), (.weights, 1)],
      outputs: [(.sourceGradient, 0)])
  }
}

extension Conv2DBackwardWeight: CPUOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    let convolution = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context)
    return [try convolution.layouts.source, try convolution.layouts.destination]
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let convolution = try ConvolutionPrimitives(
      geometry(request.inputs.map(\.type)), request.context)
    return LayoutAssignment(
      inputs: [try convolution.layouts.source, try convolution.layouts.destination],
      outputs: [try convolution.weightLayout(.backwardWeight)] + (hasBias ? [.dense] : []))
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let convolution = try ConvolutionPrimitives(
      geometry(node.inputs.map(\.type)), context, source: node.inputs[0],
      destination: node.inputs[1])
    if let paired = convolution.paired { return try paired.backwardWeight(hasBias: hasBias) }
    let descriptor = try convolution.backwardWeight(
      weights: convolution.weights(node.outputs[0]), hasBias: hasBias)
    return context.lowering(
      of: descriptor, inputs: [(.source, 0), (.destinationGradient, 1)],
      outputs: [(.weightsGradient, 0)] + (hasBias ? [(.biasGradient, 1)] : []))
  }
}
