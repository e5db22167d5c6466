import COneDNN
import TernCore
import TernGraph

extension Operations.Assign: CPUOperation {
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let layout = request.inputs[0].layout
    return LayoutAssignment(inputs: [layout, layout], outputs: [layout])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[1].storedCount
    return Lowering { addresses in
      let (value, variable) = (addresses.input(1), addresses.output(0))
      return context.threads.elementwise(count) { range in
        (variable + range.lowerBound).update(from: value + range.lowerBound, count: range.count)
      }
    }
  }
}

extension Operations.Reorder: CPUOperation {
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    LayoutAssignment(
      inputs: [request.inputs[0].layout], outputs: [request.wanted[0] ?? .dense])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let (from, to) = (node.inputs[0], node.outputs[0])
    var source = try context.descriptor(from)
    var destination = try context.descriptor(to)
    // The weights of a grouped convolution have an axis more in a blocked format.
    if from.layout == .dense {
      source = try MemoryDescriptor(dense: TensorType(destination.shape, from.type.dataType))
    } else if to.layout == .dense {
      destination = try MemoryDescriptor(dense: TensorType(source.shape, to.type.dataType))
    }
    return try context.reorder(source, destination)
  }
}

extension CPUContext {
  /// The primitive that copies a tensor from one format to another.
  func reorder(_ source: MemoryDescriptor, _ destination: MemoryDescriptor) throws -> Lowering {
    let descriptor = try PrimitiveDescriptor("reorder", engine) { result, engine, attributes in
      var (from, to) = (source.raw, destination.raw)
      return dnnl_reorder_primitive_desc_create(result, &from, engine, &to, engine, attributes)
    }
    return lowering(of: descriptor, inputs: [(.source, 0)], outputs: [(.destination, 0)])
  }
}
