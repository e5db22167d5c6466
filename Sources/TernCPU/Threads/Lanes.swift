/// Eight floats: wide enough to keep two SSE registers busy, and few enough not to spill.
typealias Vector = SIMD8<Float>
typealias IntegerVector = SIMD8<Int32>

/// A stretch of up to eight neighbouring elements, processed as one vector. Fewer than eight are
/// padded with zeros when loaded, and only they are stored.
struct Lanes {
  static let width = Vector.scalarCount

  let start: Int
  /// The number of elements, ``width`` in all but the last stretch of a loop.
  let count: Int

  @inline(__always)
  init(start: Int, count: Int) {
    self.start = start
    self.count = count
  }

  /// The stretch at `start` of a row of `limit` elements; empty beyond its end.
  @inline(__always)
  init(start: Int, limit: Int) {
    self.start = start
    count = max(0, min(Self.width, limit &- start))
  }

  var isFull: Bool {
    @inline(__always) get { count == Self.width }
  }

  @inline(__always)
  func loadVector<S: SIMDScalar & BitwiseCopyable & ExpressibleByIntegerLiteral>(
    _ pointer: UnsafePointer<S>
  ) -> SIMD8<S> {
    let source = UnsafeRawPointer(pointer + start)
    if isFull { return source.loadUnaligned(as: SIMD8<S>.self) }
    return SIMD8(
      lowHalf: Self.loadPart(pointer + start, count),
      highHalf: Self.loadPart(pointer + (start &+ 4), count &- 4))
  }

  /// The first of four elements, then zeros. The lanes are spelled out because a vector whose lanes
  /// are numbered at run time goes through memory.
  @inline(__always)
  private static func loadPart<S: SIMDScalar & BitwiseCopyable & ExpressibleByIntegerLiteral>(
    _ pointer: UnsafePointer<S>, _ count: Int
  ) -> SIMD4<S> {
    switch count {
    case ...0: SIMD4(0, 0, 0, 0)
    case 1: SIMD4(pointer[0], 0, 0, 0)
    case 2: SIMD4(pointer[0], pointer[1], 0, 0)
    case 3: SIMD4(pointer[0], pointer[1], pointer[2], 0)
    default: UnsafeRawPointer(pointer).loadUnaligned(as: SIMD4<S>.self)
    }
  }

  @inline(__always)
  func storeVector<S: SIMDScalar & BitwiseCopyable>(
    _ vector: SIMD8<S>, _ pointer: UnsafeMutablePointer<S>
  ) {
    if isFull {
      UnsafeMutableRawPointer(pointer + start).storeBytes(of: vector, as: SIMD8<S>.self)
      return
    }
    Self.storePart(vector.lowHalf, pointer + start, count)
    Self.storePart(vector.highHalf, pointer + (start &+ 4), count &- 4)
  }

  @inline(__always)
  private static func storePart<S: SIMDScalar & BitwiseCopyable>(
    _ vector: SIMD4<S>, _ pointer: UnsafeMutablePointer<S>, _ count: Int
  ) {
    if count >= 4 {
      UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: SIMD4<S>.self)
      return
    }
    if count > 0 { pointer[0] = vector.x }
    if count > 1 { pointer[1] = vector.y }
    if count > 2 { pointer[2] = vector.z }
  }

  /// The vector with zeros in the lanes that stand for no element.
  @inline(__always)
  func masking(_ vector: Vector) -> Vector {
    if isFull { return vector }
    var result = vector
    for lane in count..<Self.width { result[lane] = 0 }
    return result
  }

  @inline(__always)
  func load(_ pointer: UnsafePointer<Float>) -> Vector { loadVector(pointer) }
  @inline(__always)
  func load(_ pointer: UnsafeMutablePointer<Float>) -> Vector { load(UnsafePointer(pointer)) }
  @inline(__always)
  func load(_ pointer: UnsafePointer<Int32>) -> IntegerVector {
    loadVector(pointer)
  }
  @inline(__always)
  func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>) {
    storeVector(vector, pointer)
  }
  @inline(__always)
  func store(_ vector: IntegerVector, _ pointer: UnsafeMutablePointer<Int32>) {
    storeVector(vector, pointer)
  }
}

/// Calls `body` for consecutive stretches of `range`.
///
/// The vectors are explicit because the compiler's own vectoriser gives up where an output is
/// stored over an input, which the plan does wherever it can.
@inline(__always)
func forEachLanes(in range: Range<Int>, _ body: (Lanes) -> Void) {
  // One call, so that the body is compiled into the loop.
  var i = range.lowerBound
  while i < range.upperBound {
    body(Lanes(start: i, limit: range.upperBound))
    i &+= Lanes.width
  }
}

/// Calls `body` for consecutive stretches of two rows of different lengths, which end where the
/// longer ends.
@inline(__always)
func forEachLanes(_ a: Int, _ b: Int, _ body: (Lanes, Lanes) -> Void) {
  var i = 0
  while i < max(a, b) {
    body(Lanes(start: i, limit: a), Lanes(start: i, limit: b))
    i &+= Lanes.width
  }
}

extension SIMD8<Float> {
  /// The sum of the lanes, added pairwise.
  @inline(__always)
  var laneSum: Float {
    let four = lowHalf + highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
  }
}

extension SIMD8<Float> {
  /// Where the lanes take the place of an earlier maximum: the larger ones, and every NaN.
  @inline(__always)
  func exceeds(_ best: Vector) -> SIMDMask<IntegerVector> { (self .> best) .| (self .!= self) }
}

extension Float {
  /// Whether the number takes the place of an earlier maximum: a larger one does, and every NaN.
  @inline(__always)
  func exceeds(_ best: Float) -> Bool { self > best || isNaN }
}

/// The larger one, lane by lane; NaN where one of them is.
@inline(__always)
func max(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: b.exceeds(a)) }
/// The smaller one, lane by lane; NaN where one of them is.
@inline(__always)
func min(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: (b .< a) .| (b .!= b)) }

extension Lanes {
  /// The largest of `count` neighbours, NaN if one is, −∞ of none.
  static func maximum(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    var best = Vector(repeating: -.infinity)
    var i = 0
    while i &+ width <= count {
      best = max(best, Lanes(start: i, count: width).load(x))
      i &+= width
    }
    var result = best[0]
    for lane in 1..<width where best[lane].exceeds(result) { result = best[lane] }
    while i < count {
      if x[i].exceeds(result) { result = x[i] }
      i &+= 1
    }
    return result
  }
}
