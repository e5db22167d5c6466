import CMicrokernels
import COneDNN
import TernCore
import TernGraph

/// Numbers of one type turned into those of another: the nearest, ties to even, or for integers the whole part.
enum NumberConversion {
  static func convert(
    _ x: UnsafeMutableRawPointer, _ source: DataType, to y: UnsafeMutableRawPointer,
    _ target: DataType, _ count: Int
  ) {
    switch (source, target) {
    case (.bfloat16, .float32):
      tern_widen_bfloat16(
        x.assumingMemoryBound(to: UInt16.self), y.assumingMemoryBound(to: Float.self), count)
    case (.float32, .bfloat16):
      tern_narrow_bfloat16(
        x.assumingMemoryBound(to: Float.self), y.assumingMemoryBound(to: UInt16.self), count)
    case (.float16, .float32):
      tern_widen_float16(
        x.assumingMemoryBound(to: UInt16.self), y.assumingMemoryBound(to: Float.self), count)
    case (.float32, .float16):
      tern_narrow_float16(
        x.assumingMemoryBound(to: Float.self), y.assumingMemoryBound(to: UInt16.self), count)
    default:
      for i in 0..<count { store(load(x, source, i), y, target, i) }
    }
  }

  private static func load(_ x: UnsafeMutableRawPointer, _ type: DataType, _ i: Int) -> Double {
    switch type {
    case .float32: Double(x.load(fromByteOffset: 4 * i, as: Float.self))
    case .int32: Double(x.load(fromByteOffset: 4 * i, as: Int32.self))
    case .uint8: Double(x.load(fromByteOffset: i, as: UInt8.self))
    case .float16: Double(HalfPrecision.float(x.load(fromByteOffset: 2 * i, as: UInt16.self)))
    case .bfloat16:
      Double(HalfPrecision.brainFloat(x.load(fromByteOffset: 2 * i, as: UInt16.self)))
    }
  }

  private static func store(
    _ value: Double, _ y: UnsafeMutableRawPointer, _ type: DataType, _ i: Int
  ) {
    switch type {
    case .float32: y.storeBytes(of: Float(value), toByteOffset: 4 * i, as: Float.self)
    case .int32: y.storeBytes(of: Int32(saturating: value), toByteOffset: 4 * i, as: Int32.self)
    case .uint8: y.storeBytes(of: UInt8(saturating: value), toByteOffset: i, as: UInt8.self)
    case .float16:
      y.storeBytes(of: HalfPrecision.bits(Float(value)), toByteOffset: 2 * i, as: UInt16.self)
    case .bfloat16:
      y.storeBytes(of: HalfPrecision.brainBits(Float(value)), toByteOffset: 2 * i, as: UInt16.self)
    }
  }
}

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

extension Operations.Cast: CPUOperation {
  /// Values of the same place in memory are cast as they stand, others on their way to another layout.
  /// Float16 lies dense: oneDNN brings it into no other layout.
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    request.has(.float16) ? [nil] : request.wanted
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    if request.has(.float16) { return .dense(request) }
    let layout = request.inputs[0].layout
    return LayoutAssignment(inputs: [layout], outputs: [request.wanted[0] ?? layout])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let (from, to) = (node.inputs[0], node.outputs[0])
    guard from.layout == to.layout else { return try context.reorder(from, to) }
    let (source, target, count) = (from.type.dataType, to.type.dataType, from.storedCount)
    return Lowering { addresses in
      let (x, y) = (addresses.inputs[0], addresses.outputs[0])
      return context.threads.elementwise(count) { range in
        NumberConversion.convert(
          x + range.lowerBound * source.byteCount, source,
          to: y + range.lowerBound * target.byteCount,
          target, range.count)
      }
    }
  }
}

extension Operations.Reorder: CPUOperation {
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    LayoutAssignment(
      inputs: [request.inputs[0].layout], outputs: [request.wanted[0] ?? .dense])
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    try context.reorder(node.inputs[0], node.outputs[0])
  }
}

extension CPUContext {
  /// What copies a tensor from one layout, and perhaps type, to another.
  fileprivate func reorder(_ from: Operand, _ to: Operand) throws -> Lowering {
    var source = try descriptor(from)
    var destination = try descriptor(to)
    // The weights of a grouped convolution have an axis more in a blocked format.
    if from.layout == .dense {
      source = try MemoryDescriptor(dense: TensorType(destination.shape, from.type.dataType))
    } else if to.layout == .dense {
      destination = try MemoryDescriptor(dense: TensorType(source.shape, to.type.dataType))
    }
    return try reorder(source, destination)
  }

  /// The primitive that copies a tensor from one format to another.
  func reorder(_ source: MemoryDescriptor, _ destination: MemoryDescriptor) throws -> Lowering {
    let descriptor = try PrimitiveDescriptor("reorder", engine) { result, engine, attributes in
      var (from, to) = (source.raw, destination.raw)
      return dnnl_reorder_primitive_desc_create(result, &from, engine, &to, engine, attributes)
    }
    return lowering(of: descriptor, inputs: [(.source, 0)], outputs: [(.destination, 0)])
  }
}
