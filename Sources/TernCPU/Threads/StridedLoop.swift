import TernCore

/// A walk over all positions of a shape by tensors of different strides, with neighbouring axes
/// merged wherever every tensor allows it: an outer part in odometer order, and an inner run along
/// the last axis.
struct StridedLoop {
  /// The merged axes but the last.
  private let outerExtents: [Int]
  private let outerStrides: [[Int]]
  let outerCount: Int
  /// The length of the last merged axis.
  let innerCount: Int
  /// Per tensor, the distance between neighbours of the inner run.
  let innerStrides: [Int]

  /// - Parameter strides: per tensor, the strides along the axes of `shape`; 0 repeats.
  init(_ shape: Shape, strides: [[Int]]) {
    let axes = MergedAxes(shape, strides: strides)
    innerCount = axes.extents.last ?? 1
    innerStrides = axes.strides.map { $0.last ?? 0 }
    outerExtents = axes.extents.dropLast()
    outerStrides = axes.strides.map { $0.dropLast() }
    outerCount = outerExtents.reduce(1, *)
  }

  /// Where the inner run number `index` starts in a tensor.
  @inline(__always)
  func offset(_ index: Int, in tensor: Int) -> Int {
    var rest = index
    var offset = 0
    for axis in stride(from: outerExtents.count - 1, through: 0, by: -1) {
      offset &+= (rest % outerExtents[axis]) &* outerStrides[tensor][axis]
      rest /= outerExtents[axis]
    }
    return offset
  }

  /// A step that calls `body` for every inner run, or for parts of it where there are too few runs
  /// to occupy the threads.
  ///
  /// - Parameter body: gets the number of the run and the part of it.
  func step(_ threads: Threads, _ body: @escaping (_ run: Int, _ part: Range<Int>) -> Void) -> Step
  {
    if outerCount < threads.count * 2 {
      return threads.elementwise(innerCount) { range in
        for run in 0..<outerCount { body(run, range) }
      }
    }
    let grain = max(1, Threads.elementwiseGrain / innerCount)
    return threads.loop(outerCount, grain: grain) { range in
      for run in range { body(run, 0..<innerCount) }
    }
  }
}
