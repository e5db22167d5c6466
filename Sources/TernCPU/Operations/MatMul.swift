import COneDNN
import TernCore
import TernGraph

extension Operations.MatMul: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    if let narrow = narrowProduct(node) {
      return narrow.lowering(context, hasBias: false, rectifies: false)
    }
    func matrix(_ shape: Shape, transposed: Bool) throws -> MemoryDescriptor {
      var (extents, strides) = (shape, shape.strides)
      if transposed {
        extents.swapAt(shape.rank - 2, shape.rank - 1)
        strides.swapAt(shape.rank - 2, shape.rank - 1)
      }
      return try MemoryDescriptor(extents, strides: strides)
    }
    return try context.matmul(
      matrix(node.inputs[0].shape, transposed: transposesA),
      matrix(node.inputs[1].shape, transposed: transposesB), bias: nil,
      context.descriptor(node.outputs[0]))
  }

  /// The product, where it is one of few rows with a large matrix.
  private func narrowProduct(_ node: Signature) -> NarrowProduct? {
    let (x, y) = (node.inputs[0].shape, node.outputs[0].shape)
    guard !transposesA, x.rank == 2, y.rank == 2 else { return nil }
    let product = NarrowProduct(
      rows: x[0], columns: y[1], depth: x[1], isTransposed: transposesB)
    return product.isWorthwhile ? product : nil
  }
}

extension Operations.Linear: RectifiableOperation {
  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    let weight = node.inputs[1].shape
    let output = node.outputs[0].shape
    let narrow = NarrowProduct(
      rows: node.inputs[0].elementCount / weight[1], columns: weight[0], depth: weight[1],
      isTransposed: true)
    if narrow.isWorthwhile {
      return narrow.lowering(context, hasBias: node.inputs.count == 3, rectifies: rectifies)
    }
    return try context.matmul(
      context.descriptor(node.inputs[0]),
      MemoryDescriptor([weight[1], weight[0]], strides: [1, weight[1]]),
      bias: node.inputs.count == 3 ? MemoryDescriptor(dense: TensorType([1, output[1]])) : nil,
      context.descriptor(node.outputs[0]), rectifies ? [.relu] : [])
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
