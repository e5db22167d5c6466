/// Computes so many elements of y from those of x; y may be x.
typealias UnaryKernel = (
  _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) -> Void

/// Computes so many elements of y from those of a and b; y may be one of them.
typealias BinaryKernel = (
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
  _ count: Int
) -> Void

extension Threads {
  /// Elements below which a loop is not worth waking a second thread: about 2 µs of work.
  static let elementwiseGrain = 8192

  /// A loop over `count` elements, a vector at a time.
  func elementwise(_ count: Int, _ body: @escaping (Range<Int>) -> Void) -> Step {
    loop(count, grain: Self.elementwiseGrain, alignment: 16, body)
  }

  func elementwise(
    _ count: Int, _ kernel: @escaping UnaryKernel, _ x: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>
  ) -> Step {
    elementwise(count) { kernel(x + $0.lowerBound, y + $0.lowerBound, $0.count) }
  }

  func elementwise(
    _ count: Int, _ kernel: @escaping BinaryKernel, _ a: UnsafePointer<Float>,
    _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) -> Step {
    elementwise(count) {
      kernel(a + $0.lowerBound, b + $0.lowerBound, y + $0.lowerBound, $0.count)
    }
  }
}

/// y[i] = f(x[i]) for the elements of `range`; y may be x.
@inline(__always)
func transform(
  _ range: Range<Int>, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>,
  _ f: (Vector) -> Vector
) {
  forEachLanes(in: range) { lanes in lanes.store(f(lanes.load(x)), y) }
}

/// y[i] = f(a[i], b[i]) for the elements of `range`; y may be a or b.
@inline(__always)
func transform(
  _ range: Range<Int>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
  to y: UnsafeMutablePointer<Float>, _ f: (Vector, Vector) -> Vector
) {
  forEachLanes(in: range) { lanes in lanes.store(f(lanes.load(a), lanes.load(b)), y) }
}
