import COneDNN
import TernCore
import TernGraph

// Reshape is a view and never runs.
extension Operations.Reshape: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering { Lowering { _ in {} } }
}

extension Operations.Permute: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let (x, y) = (node.inputs[0].shape, node.outputs[0].shape)
    let source = try MemoryDescriptor(
      y, node.inputs[0].type.dataType, strides: order.map { x.strides[$0] })
    return try context.reorder(source, try context.descriptor(node.outputs[0]))
  }
}

extension Operations.Cat: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    // Joined along the channels, blocks of channels stay whole where no input is padded.
    guard axis == 1, let leader = request.inputs.first(where: { $0.layout != .dense }),
      let format = try ChannelFormat(leader, request.context), let block = format.blockSize,
      request.inputs.allSatisfy({ $0.shape[1] % block == 0 })
    else { return .dense(request) }
    return LayoutAssignment(
      inputs: try request.inputs.map { try format.layout($0.shape, request.context) },
      outputs: [try format.layout(request.outputs[0].shape, request.context)])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let output = node.outputs[0]
    let outer = output.shape.elementCount(in: 0..<axis)
    let rows = node.inputs.map { $0.storedCount / outer * $0.type.dataType.byteCount }
    return Lowering { addresses in
      let y = addresses.outputs[0]
      let total = rows.reduce(0, +)
      var start = 0
      let copies = rows.indices.map { index in
        defer { start += rows[index] }
        return RowCopy(
          rows: outer, length: rows[index], source: addresses.inputs[index],
          sourceStride: rows[index], target: y + start, targetStride: total
        ).step(context.threads)
      }
      return { for copy in copies { try copy() } }
    }
  }
}

extension Operations.Narrow: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    guard axis == 1, let format = try ChannelFormat(request.inputs[0], request.context),
      let block = format.blockSize, start % block == 0, length % block == 0,
      !request.inputs[0].isPadded
    else { return .dense(request) }
    return LayoutAssignment(
      inputs: [request.inputs[0].layout],
      outputs: [try format.layout(request.outputs[0].shape, request.context)])
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let shape = node.inputs[0].shape
    let outer = shape.elementCount(in: 0..<axis)
    let inner =
      shape.elementCount(in: axis + 1..<shape.rank) * node.inputs[0].type.dataType.byteCount
    return Lowering { addresses in
      RowCopy(
        rows: outer, length: length * inner, source: addresses.inputs[0] + start * inner,
        sourceStride: shape[axis] * inner, target: addresses.outputs[0],
        targetStride: length * inner
      ).step(context.threads)
    }
  }
}

/// Rows copied from one place to another; lengths are in bytes.
private struct RowCopy {
  let rows: Int
  let length: Int
  let source: UnsafeMutableRawPointer
  let sourceStride: Int
  let target: UnsafeMutableRawPointer
  let targetStride: Int

  func step(_ threads: Threads) -> Step {
    let grain = Threads.elementwiseGrain * MemoryLayout<Float>.stride
    return threads.loop(rows, grain: max(1, grain / length)) { range in
      for row in range {
        (target + row * targetStride).copyMemory(
          from: source + row * sourceStride, byteCount: length)
      }
    }
  }
}

extension Operations.Pad: CPUOperation {
  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { true }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    node.inputs[0].type.dataType == .bfloat16
      ? lower(node, context, Bfloat16.self)
      : lower(node, context, Float.self)
  }

  private func lower<Element: LaneElement>(
    _ node: Signature, _ context: CPUContext, _ element: Element.Type
  ) -> Lowering {
    let map = PaddingMap(
      mode, before: before, inner: node.inputs[0].shape, outer: node.outputs[0].shape)
    let fill = if case .constant(let value) = mode { Element(value) } else { Element(0) }
    return Lowering { addresses in
      let (x, y) = (addresses.input(0, of: element), addresses.output(0, of: element))
      return context.threads.loop(map.rowCount, grain: map.rowGrain) { range in
        for row in range {
          let target = y + row * map.rowLength
          guard let start = map.start(ofRow: row) else {
            target.update(repeating: fill, count: map.rowLength)
            continue
          }
          let source = x + start
          for (column, origin) in map.edges { target[column] = origin < 0 ? fill : source[origin] }
          (target + map.interior.lowerBound).update(
            from: source + map.interiorOrigin, count: map.interior.count)
        }
      }
    }
  }
}

extension Operations.PadBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let map = PaddingMap(mode, before: before, inner: inputShape, outer: node.inputs[0].shape)
    // Rows of one slice may add to the same element; slices never do.
    let rowsPerSlice = map.rowCount / map.sliceCount
    let sliceLength = inputShape.elementCount / map.sliceCount
    return Lowering { addresses in
      let (dy, dx) = (addresses.input(0), addresses.output(0))
      let grain = max(1, Threads.elementwiseGrain / sliceLength)
      return context.threads.loop(map.sliceCount, grain: grain) { range in
        (dx + range.lowerBound * sliceLength).update(
          repeating: 0, count: range.count * sliceLength)
        for row in range.lowerBound * rowsPerSlice..<range.upperBound * rowsPerSlice {
          guard let start = map.start(ofRow: row) else { continue }
          let source = dy + row * map.rowLength
          let target = dx + start
          for (column, origin) in map.edges where origin >= 0 { target[origin] += source[column] }
          for i in 0..<map.interior.count {
            target[map.interiorOrigin &+ i] += source[map.interior.lowerBound &+ i]
          }
        }
      }
    }
  }
}

extension PaddingMode {
  /// The input position that an output position copies, or -1 for the constant.
  fileprivate func origin(of position: Int, extent: Int) -> Int {
    if (0..<extent).contains(position) { return position }
    switch self {
    case .constant: return -1
    case .replicate: return position < 0 ? 0 : extent - 1
    case .reflect: return position < 0 ? -position : 2 * (extent - 1) - position
    case .circular: return position < 0 ? position + extent : position - extent
    }
  }
}

/// Which input element every output element of a padding copies: a table per axis, and along the
/// last axis a stretch that is copied as it is between two edges.
private struct PaddingMap {
  private let innerExtents: [Int]
  private let outerExtents: [Int]
  /// Per axis and output position: the input position, or -1.
  private let origins: [[Int]]
  let rowCount: Int
  let rowLength: Int
  /// The columns that copy neighbouring input columns, the first of which is `interiorOrigin`.
  let interior: Range<Int>
  let interiorOrigin: Int
  /// The other columns, each with the input column it copies, or -1.
  let edges: [(column: Int, origin: Int)]
  /// How many parts along the leading axes do not share input elements.
  let sliceCount: Int

  init(_ mode: PaddingMode, before: [Int], inner: Shape, outer: Shape) {
    innerExtents = inner.rank == 0 ? [1] : inner.dimensions
    outerExtents = outer.rank == 0 ? [1] : outer.dimensions
    let before = before.isEmpty ? [0] : before
    let (innerExtents, outerExtents) = (innerExtents, outerExtents)
    origins = outerExtents.indices.map { axis in
      (0..<outerExtents[axis]).map {
        mode.origin(of: $0 - before[axis], extent: innerExtents[axis])
      }
    }
    let last = outerExtents.count - 1
    rowLength = outerExtents[last]
    rowCount = outerExtents.dropLast().reduce(1, *)
    let start = min(max(before[last], 0), rowLength)
    let end = max(start, min(before[last] + innerExtents[last], rowLength))
    interior = start..<end
    interiorOrigin = start - before[last]
    edges = origins[last].enumerated().filter { !(start..<end).contains($0.offset) }
      .map { (column: $0.offset, origin: $0.element) }
    let free = (0..<last).prefix { before[$0] == 0 && innerExtents[$0] == outerExtents[$0] }
    sliceCount = free.reduce(1) { $0 * outerExtents[$1] }
  }

  /// The least number of rows worth a thread.
  var rowGrain: Int { max(1, Threads.elementwiseGrain / rowLength) }

  /// Where the input row that an output row copies starts; `nil` where all of it is constant.
  func start(ofRow row: Int) -> Int? {
    var rest = row
    var offset = 0
    var stride = innerExtents[innerExtents.count - 1]
    var axis = outerExtents.count - 2
    while axis >= 0 {
      let origin = origins[axis][rest % outerExtents[axis]]
      if origin < 0 { return nil }
      offset += origin * stride
      rest /= outerExtents[axis]
      stride *= innerExtents[axis]
      axis -= 1
    }
    return offset
  }
}
