extension Threads {
  /// Elements below which a loop is not worth waking a second thread: about 2 µs of work.
  static let elementwiseGrain = 8192

  /// A loop over `count` elements, a vector at a time.
  func elementwise(_ count: Int, _ body: @escaping (Range<Int>) -> Void) -> Step {
    loop(count, grain: Self.elementwiseGrain, alignment: 16, body)
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
