import COneDNN
import TernCore
import TernGraph
import TernRuntime

extension Operations.MatMul: CPUCandidateOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    if node.inputs[0].type.dataType == .float32,
      let narrow = narrowProduct(node.inputs.map(\.type)), isNarrow(narrow, context)
    {
      return narrow.lowering(context, hasBias: false, rectifies: false)
    }
    func matrix(_ shape: Shape, transposed: Bool) throws -> MemoryDescriptor {
      var (extents, strides) = (shape, shape.strides)
      if transposed {
        extents.swapAt(shape.rank - 2, shape.rank - 1)
        strides.swapAt(shape.rank - 2, shape.rank - 1)
      }
      return try MemoryDescriptor(extents, node.inputs[0].type.dataType, strides: strides)
    }
    return try context.matmul(
      matrix(node.inputs[0].shape, transposed: transposesA),
      matrix(node.inputs[1].shape, transposed: transposesB), bias: nil,
      context.descriptor(node.outputs[0])
    ).named(ConvolutionCandidates.library)
  }

  private func isNarrow(_ product: NarrowProduct, _ context: CPUContext) -> Bool {
    context.candidates.choice(of: product.candidates(name)).name == NarrowProduct.name
  }

  /// The product as one by parts; `nil` where parts cannot compute it.
  private func narrowProduct(_ inputs: [TensorType]) -> NarrowProduct? {
    let (x, w) = (inputs[0].shape, inputs[1].shape)
    guard !transposesA, x.rank == 2, w.rank == 2 else { return nil }
    return NarrowProduct(
      rows: x[0], columns: w[transposesB ? 0 : 1], depth: x[1], isTransposed: transposesB)
  }

  func candidateProblem(_ inputs: [TensorType], _ context: CPUContext) -> CandidateProblem? {
    inputs[0].dataType == .float32 ? narrowProduct(inputs)?.candidates(name) : nil
  }
}

extension Operations.Linear: RectifiableOperation, CPUCandidateOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    let (weight, type) = (node.inputs[1].shape, node.inputs[0].type.dataType)
    let output = node.outputs[0].shape
    let narrow = narrowProduct(node.inputs.map(\.type))
    let problem = narrow.candidates(name)
    if type == .float32, context.candidates.choice(of: problem).name == NarrowProduct.name {
      return narrow.lowering(context, hasBias: node.inputs.count == 3, rectifies: rectifies)
    }
    return try context.matmul(
      context.descriptor(node.inputs[0]),
      MemoryDescriptor([weight[1], weight[0]], type, strides: [1, weight[1]]),
      bias: node.inputs.count == 3 ? MemoryDescriptor(dense: TensorType([1, output[1]])) : nil,
      context.descriptor(node.outputs[0]), rectifies ? [.relu] : []
    ).named(ConvolutionCandidates.library)
  }

  private func narrowProduct(_ inputs: [TensorType]) -> NarrowProduct {
    let weight = inputs[1].shape
    return NarrowProduct(
      rows: inputs[0].elementCount / weight[1], columns: weight[0], depth: weight[1],
      isTransposed: true)
  }

  func candidateProblem(_ inputs: [TensorType], _ context: CPUContext) -> CandidateProblem? {
    inputs[0].dataType == .float32 ? narrowProduct(inputs).candidates(name) : nil
  }
}

extension CPUContext {
  /// The product of inputs 0 and 1, plus input 2 where there is a bias.
  fileprivate func matmul(
    _ a: MemoryDescriptor, _ b: MemoryDescriptor, bias: MemoryDescriptor?, _ y: MemoryDescriptor,
    _ postOperations: [PostOperation] = []
  ) throws -> Lowering {
    let descriptor = try PrimitiveDescriptor(
      "matmul", engine, postOperations: postOperations
    ) { result, engine, attributes in
      var (a, b, y) = (a.raw, b.raw, y.raw)
      guard var bias = bias?.raw else {
        return tern_dnnl_matmul(result, engine, attributes, &a, &b, nil, &y)
      }
      return tern_dnnl_matmul(result, engine, attributes, &a, &b, &bias, &y)
    }
    return lowering(
      of: descriptor,
      inputs: [(.source, 0), (.weights, 1)] + (bias == nil ? [] : [(.bias, 2)]),
      outputs: [(.destination, 0)])
  }
}
