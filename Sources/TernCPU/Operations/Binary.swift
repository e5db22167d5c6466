import TernCore
import TernGraph

extension Operations.Binary: RectifiableOperation {
  func wishes(_ request: LayoutRequest) throws -> [Layout?] { request.passedOn }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    let (a, b) = (request.inputs[0], request.inputs[1])
    if a.type == b.type { return .following(request, keepsPadding: keepsPadding) }
    // A scalar or one number per channel beside a tensor of the output's shape, which keeps its
    // layout.
    for (large, small) in [(0, 1), (1, 0)] {
      let (leader, other) = (request.inputs[large], request.inputs[small])
      guard leader.layout != .dense, leader.type == request.outputs[0], other.layout == .dense
      else { continue }
      let isScalar =
        other.elementCount == 1 && (!leader.isPadded || function == .mul)
      let isPerChannel =
        try !leader.isPadded && other.shape == [1, leader.shape[1], 1, 1]
        && ChannelFormat(leader, request.context) != nil
      guard isScalar || isPerChannel else { continue }
      var assignment = LayoutAssignment.dense(request)
      assignment.inputs[large] = leader.layout
      assignment.outputs[0] = leader.layout
      return assignment
    }
    return .dense(request)
  }

  func isSupportedInBfloat16(_ inputs: [TensorType]) -> Bool { inputs[0] == inputs[1] }

  func lower(_ node: Signature, _ context: CPUContext, rectifies: Bool) throws -> Lowering {
    let (a, b, y) = (node.inputs[0], node.inputs[1], node.outputs[0])
    if y.type.dataType == .bfloat16 {
      return .elementwise(
        .bfloat16, y.storedCount, context.threads, rectifies ? Self.rectifiedSum : kernel)
    }
    if y.layout != .dense {
      if a.type == b.type || a.elementCount == 1 || b.elementCount == 1 {
        return lower(
          StridedLoop(
            [y.storedCount],
            strides: [[a.type == y.type ? 1 : 0], [b.type == y.type ? 1 : 0], [1]]), context,
          rectifies)
      }
      return try lowerPerChannel(node, context, rectifies)
    }
    return lower(
      StridedLoop(
        y.shape,
        strides: [
          a.shape.broadcastStrides(to: y.shape), b.shape.broadcastStrides(to: y.shape),
          y.shape.strides,
        ]), context, rectifies)
  }

  private func lower(_ loop: StridedLoop, _ context: CPUContext, _ rectifies: Bool) -> Lowering {
    precondition(!rectifies || function == .add, "only sums are rectified on the way")
    return Lowering { addresses in
      step(
        loop, context.threads, rectifies, addresses.input(0), addresses.input(1),
        addresses.output(0))
    }
  }

  private static func rectifiedSum(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    transform(0..<count, a, b, to: y) {
      let sum = $0 + $1
      return sum.replacing(with: 0, where: sum .< 0)
    }
  }

  private func step(
    _ loop: StridedLoop, _ threads: Threads, _ rectifies: Bool, _ a: UnsafePointer<Float>,
    _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) -> Step {
    switch function {
    case .add where rectifies:
      return loop.step(threads) {
        loop.combine($0, $1, a, b, y) {
          let sum = $0 + $1
          return sum.replacing(with: 0, where: sum .< 0)
        }
      }
    case .add: return loop.step(threads) { loop.combine($0, $1, a, b, y) { $0 + $1 } }
    case .sub: return loop.step(threads) { loop.combine($0, $1, a, b, y) { $0 - $1 } }
    case .mul: return loop.step(threads) { loop.combine($0, $1, a, b, y) { $0 * $1 } }
    case .div: return loop.step(threads) { loop.combine($0, $1, a, b, y) { $0 / $1 } }
    case .maximum: return loop.step(threads) { loop.combine($0, $1, a, b, y) { max($0, $1) } }
    case .minimum: return loop.step(threads) { loop.combine($0, $1, a, b, y) { min($0, $1) } }
    case .heaviside:
      return loop.step(threads) {
        loop.combine($0, $1, a, b, y, Self.heaviside)
      }
    case .equal:
      return loop.step(threads) {
        loop.combine($0, $1, a, b, y, Self.equal)
      }
    }
  }

  /// A tensor whose channels are innermost and one number per channel. The numbers of a block of
  /// channels are repeated over a few pixels once, and then serve all pixels of the block.
  private func lowerPerChannel(
    _ node: Signature, _ context: CPUContext, _ rectifies: Bool
  ) throws -> Lowering {
    let y = node.outputs[0]
    let block = try ChannelFormat(y, context)!.blockSize ?? y.shape[1]
    let blockCount = y.shape[1] / block
    let planeLength = y.shape[2] * y.shape[3] * block
    let tileLength = min(planeLength, block * max(1, 512 / block))
    let tensor = node.inputs[0].type == y.type ? 0 : 1
    let (kernel, rectify) = (kernel, Operations.Unary.Function.relu.kernel)
    return Lowering(workspaceByteCount: 4 * tileLength * context.threads.count) { addresses in
      let (x, numbers) = (addresses.input(tensor), addresses.input(1 - tensor))
      let (y, tiles) = (addresses.output(0), addresses.workspace())
      return context.threads.partitioned(
        node.outputs[0].shape[0] * blockCount, grain: max(1, Threads.elementwiseGrain / planeLength)
      ) { range, part in
        let tile = tiles + part * tileLength
        for index in range {
          let first = numbers + index % blockCount * block
          for i in 0..<tileLength { tile[i] = first[i % block] }
          for start in stride(from: 0, to: planeLength, by: tileLength) {
            let offset = index * planeLength + start
            let count = min(tileLength, planeLength - start)
            if tensor == 0 {
              kernel(x + offset, tile, y + offset, count)
            } else {
              kernel(tile, x + offset, y + offset, count)
            }
            if rectifies { rectify(y + offset, y + offset, count) }
          }
        }
      }
    }
  }

  /// Whether f(0, 0) = 0, so that zeros of a padded layout stay zeros.
  var keepsPadding: Bool {
    switch function {
    case .add, .sub, .mul, .maximum, .minimum: true
    case .div, .heaviside, .equal: false
    }
  }
}

extension Operations.Binary {
  /// y = f(a, b) of tensors of one shape.
  var kernel: BinaryKernel {
    switch function {
    case .add: { transform(0..<$3, $0, $1, to: $2) { $0 + $1 } }
    case .sub: { transform(0..<$3, $0, $1, to: $2) { $0 - $1 } }
    case .mul: { transform(0..<$3, $0, $1, to: $2) { $0 * $1 } }
    case .div: { transform(0..<$3, $0, $1, to: $2) { $0 / $1 } }
    case .maximum: { transform(0..<$3, $0, $1, to: $2) { max($0, $1) } }
    case .minimum: { transform(0..<$3, $0, $1, to: $2) { min($0, $1) } }
    case .heaviside: { transform(0..<$3, $0, $1, to: $2, Self.heaviside) }
    case .equal: { transform(0..<$3, $0, $1, to: $2, Self.equal) }
    }
  }

  @inline(__always)
  private static func heaviside(_ a: Vector, _ b: Vector) -> Vector {
    Vector(repeating: 0).replacing(with: 1, where: a .> b).replacing(with: 0.5, where: a .== b)
  }

  @inline(__always)
  private static func equal(_ a: Vector, _ b: Vector) -> Vector {
    Vector(repeating: 0).replacing(with: 1, where: a .== b)
  }
}

extension StridedLoop {
  /// y = f(a, b) on part of a run, for tensors 0, 1 and 2 of the loop; the inner stride of a and b
  /// is 0 or 1.
  @inline(__always)
  fileprivate func combine(
    _ run: Int, _ part: Range<Int>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>, _ f: (Vector, Vector) -> Vector
  ) {
    let a = a + offset(run, in: 0)
    let b = b + offset(run, in: 1)
    let y = y + offset(run, in: 2)
    switch (innerStrides[0] == 0, innerStrides[1] == 0) {
    case (false, false):
      forEachLanes(in: part) { $0.store(f($0.load(a), $0.load(b)), y) }
    case (false, true):
      let b = Vector(repeating: b[0])
      forEachLanes(in: part) { $0.store(f($0.load(a), b), y) }
    case (true, false):
      let a = Vector(repeating: a[0])
      forEachLanes(in: part) { $0.store(f(a, $0.load(b)), y) }
    case (true, true):
      let value = f(Vector(repeating: a[0]), Vector(repeating: b[0]))
      forEachLanes(in: part) { $0.store(value, y) }
    }
  }
}
