import TernCore
import TernGraph

extension Operations.Reduce: CPUOperation {
  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    var assignment = LayoutAssignment.dense(request)
    // A sum over everything does not depend on the order of the elements, and padding adds zero.
    if axes.count == request.inputs[0].shape.rank, function == .sum {
      assignment.inputs[0] = request.inputs[0].layout
    }
    return assignment
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let input = node.inputs[0]
    let plan =
      input.layout == .dense
      ? ReductionPlan(input.shape, axes: axes) : ReductionPlan([input.storedCount], axes: [0])
    let threads = context.threads
    switch function {
    case .sum: return plan.lowering(threads, Sum.self, scale: 1)
    case .mean: return plan.lowering(threads, Sum.self, scale: 1 / Float(plan.reducedCount))
    case .amax: return plan.lowering(threads, Maximum.self, scale: 1)
    }
  }
}

/// An associative function with a neutral element.
protocol Reducer {
  static var identity: Float { get }
  static func combine(_ a: Vector, _ b: Vector) -> Vector
  static func combine(_ a: Float, _ b: Float) -> Float
}

private enum Sum: Reducer {
  static var identity: Float { 0 }
  @inline(__always) static func combine(_ a: Vector, _ b: Vector) -> Vector { a + b }
  @inline(__always) static func combine(_ a: Float, _ b: Float) -> Float { a + b }
}

private enum Maximum: Reducer {
  static var identity: Float { -.infinity }
  @inline(__always) static func combine(_ a: Vector, _ b: Vector) -> Vector { max(a, b) }
  @inline(__always) static func combine(_ a: Float, _ b: Float) -> Float { b.exceeds(a) ? b : a }
}

/// A reduction with neighbouring axes of a kind merged. What is reduced is cut into pieces whose
/// number depends on the shape alone; partial results are combined in order. So the result does not
/// depend on the number of threads.
private struct ReductionPlan {
  /// Where the elements of one output start: per output not along the last axis.
  private let keptOffsets: [Int]
  /// Where the runs that make up one output start, relative to it.
  private let reducedOffsets: [Int]
  /// The extent of the last merged axis, and whether it is reduced.
  private let innerCount: Int
  private let reducesInner: Bool
  private let pieceCount: Int

  var reducedCount: Int { reducedOffsets.count * (reducesInner ? innerCount : 1) }
  private var outputCount: Int { keptOffsets.count * (reducesInner ? 1 : innerCount) }

  /// Elements of one output that are worth a piece of their own.
  private static let pieceLength = 16384
  /// Neighbouring outputs that one thread computes together.
  private static let columns = 256

  init(_ shape: Shape, axes: [Int]) {
    var extents: [(extent: Int, isReduced: Bool)] = []
    for axis in 0..<shape.rank where shape[axis] != 1 {
      let isReduced = axes.contains(axis)
      if extents.last?.isReduced == isReduced {
        extents[extents.count - 1].extent *= shape[axis]
      } else {
        extents.append((shape[axis], isReduced))
      }
    }
    if extents.isEmpty { extents = [(1, true)] }
    let inner = extents.removeLast()
    (innerCount, reducesInner) = inner
    var (kept, reduced, stride) = ([0], [0], inner.extent)
    for (extent, isReduced) in extents.reversed() {
      let steps = (0..<extent).map { $0 * stride }
      if isReduced {
        reduced = steps.flatMap { step in reduced.map { $0 + step } }
      } else {
        kept = steps.flatMap { step in kept.map { $0 + step } }
      }
      stride *= extent
    }
    (keptOffsets, reducedOffsets) = (kept, reduced)
    let outputs = kept.count * (inner.isReduced ? 1 : inner.extent)
    let length = reduced.count * (inner.isReduced ? inner.extent : 1)
    // Few outputs of many elements each: cut the elements.
    let divisible = inner.isReduced && reduced.count == 1 ? inner.extent : reduced.count
    pieceCount =
      outputs >= 256 ? 1 : min(64, divisible, max(1, length * min(outputs, 16) / Self.pieceLength))
  }

  func lowering<R: Reducer>(_ threads: Threads, _: R.Type, scale: Float) -> Lowering {
    let partialByteCount = pieceCount == 1 ? 0 : pieceCount * outputCount * 4
    return Lowering(workspaceByteCount: partialByteCount) { addresses in
      let (x, y) = (addresses.input(0), addresses.output(0))
      guard pieceCount > 1 else {
        return pieces(threads, x, R.self) { _ in
          y
        } finish: {
          $0 * scale
        }
      }
      let partial = addresses.workspace()
      let first = pieces(threads, x, R.self) {
        partial + $0 * outputCount
      } finish: {
        $0
      }
      return {
        try first()
        for output in 0..<outputCount {
          var result = partial[output]
          for piece in 1..<pieceCount {
            result = R.combine(result, partial[piece &* outputCount &+ output])
          }
          y[output] = result * scale
        }
      }
    }
  }

  /// Reduces every piece into `target(piece)`.
  @inline(__always)
  private func pieces<R: Reducer>(
    _ threads: Threads, _ x: UnsafePointer<Float>, _: R.Type,
    target: @escaping (Int) -> UnsafeMutablePointer<Float>, finish: @escaping (Float) -> Float
  ) -> Step {
    let columnBlocks = reducesInner ? 1 : (innerCount + Self.columns - 1) / Self.columns
    let perPiece = keptOffsets.count * columnBlocks
    let work = pieceCount * perPiece
    let grain = max(1, Threads.elementwiseGrain * work / (reducedCount * outputCount))
    return threads.loop(work, grain: grain) { range in
      for item in range {
        let (piece, rest) = item.quotientAndRemainder(dividingBy: perPiece)
        let (kept, block) = rest.quotientAndRemainder(dividingBy: columnBlocks)
        let source = x + keptOffsets[kept]
        if reducesInner {
          target(piece)[kept] = finish(reduceRuns(source, piece, R.self))
        } else {
          let columns =
            block * Self.columns..<min((block + 1) * Self.columns, innerCount)
          reduceColumns(
            source, piece, columns, target(piece) + kept * innerCount, R.self, finish)
        }
      }
    }
  }

  @inline(__always)
  private func part(_ piece: Int, of count: Int) -> Range<Int> {
    (count * piece / pieceCount)..<(count * (piece + 1) / pieceCount)
  }

  /// One piece of one output: runs of neighbouring elements.
  @inline(__always)
  private func reduceRuns<R: Reducer>(_ x: UnsafePointer<Float>, _ piece: Int, _: R.Type) -> Float {
    if reducedOffsets.count == 1 {
      return reduceRun(x, part(piece, of: innerCount), R.self)
    }
    var result = R.identity
    for index in part(piece, of: reducedOffsets.count) {
      result = R.combine(result, reduceRun(x + reducedOffsets[index], 0..<innerCount, R.self))
    }
    return result
  }

  /// Neighbouring elements, in stretches short enough that rounding errors do not pile up.
  @inline(__always)
  private func reduceRun<R: Reducer>(
    _ x: UnsafePointer<Float>, _ range: Range<Int>, _: R.Type
  ) -> Float {
    var result = R.identity
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min(start &+ 1024, range.upperBound)
      var accumulator = Vector(repeating: R.identity)
      var i = start
      while i &+ Lanes.width <= end {
        accumulator = R.combine(accumulator, Lanes(start: i, count: Lanes.width).load(x))
        i &+= Lanes.width
      }
      for lane in 0..<Lanes.width { result = R.combine(result, accumulator[lane]) }
      while i < end {
        result = R.combine(result, x[i])
        i &+= 1
      }
      start = end
    }
    return result
  }

  /// One piece of neighbouring outputs: rows combined element by element.
  @inline(__always)
  private func reduceColumns<R: Reducer>(
    _ x: UnsafePointer<Float>, _ piece: Int, _ columns: Range<Int>,
    _ output: UnsafeMutablePointer<Float>, _: R.Type, _ finish: (Float) -> Float
  ) {
    let rows = part(piece, of: reducedOffsets.count)
    forEachLanes(in: columns) { lanes in
      var accumulator = Vector(repeating: R.identity)
      for row in rows {
        accumulator = R.combine(accumulator, lanes.load(x + reducedOffsets[row]))
      }
      for lane in 0..<lanes.count { output[lanes.start &+ lane] = finish(accumulator[lane]) }
    }
  }
}

extension Operations.Expand: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let loop = StridedLoop(
      shape,
      strides: [node.inputs[0].shape.broadcastStrides(to: shape), shape.strides])
    return Lowering { addresses in
      let (x, y) = (addresses.input(0), addresses.output(0))
      return loop.step(context.threads) { run, part in
        let source = x + loop.offset(run, in: 0)
        let target = y + loop.offset(run, in: 1)
        if loop.innerStrides[0] == 0 {
          (target + part.lowerBound).update(repeating: source[0], count: part.count)
        } else {
          (target + part.lowerBound).update(from: source + part.lowerBound, count: part.count)
        }
      }
    }
  }
}
