import TernCore

/// Four consecutive blocks of Philox4x32-10, drawn together: sixteen words, in the order in which
/// ``Philox/words(block:_:_:)`` gives them one block at a time.
struct RandomLanes {
  /// Words 0 to 15 of the four blocks.
  private(set) var words: SIMD16<UInt32>

  /// One word of each block, in the low half of its lane: what the processor multiplies to 64 bits.
  private typealias Quad = SIMD4<UInt64>

  /// The low half of a lane. Not stored, so that the compiler sees that high halves are zero.
  private static var low: Quad {
    @inline(__always) get { Quad(repeating: 0xFFFF_FFFF) }
  }

  /// - Parameters:
  ///   - block: the first block.
  ///   - a: the third word of the counter.
  ///   - b: the fourth.
  @inline(__always)
  init(_ philox: Philox, block: UInt64, _ a: UInt32, _ b: UInt32) {
    let counter = Quad(repeating: block) &+ Quad(0, 1, 2, 3)
    var (c0, c1) = (counter, counter &>> 32)
    var (c2, c3) = (Quad(repeating: UInt64(a)), Quad(repeating: UInt64(b)))
    var k0 = Quad(repeating: UInt64(philox.key.0))
    var k1 = Quad(repeating: UInt64(philox.key.1))
    for _ in 0..<10 {
      // High halves may hold anything: only here, and at the end, do they matter.
      let p0 = (c0 & Self.low) &* Quad(repeating: 0xD251_1F53)
      let p1 = (c2 & Self.low) &* Quad(repeating: 0xCD9E_8D57)
      c0 = (p1 &>> 32) ^ c1 ^ k0
      c1 = p1
      c2 = (p0 &>> 32) ^ c3 ^ k1
      c3 = p0
      k0 &+= Quad(repeating: 0x9E37_79B9)
      k1 &+= Quad(repeating: 0xBB67_AE85)
    }
    func narrow(_ quad: Quad) -> SIMD4<UInt32> { SIMD4(truncatingIfNeeded: quad) }
    words = SIMD16()
    words.evenHalf.evenHalf = narrow(c0)
    words.oddHalf.evenHalf = narrow(c1)
    words.evenHalf.oddHalf = narrow(c2)
    words.oddHalf.oddHalf = narrow(c3)
  }

  /// The words as ``Philox/uniform(_:)`` makes numbers of them: eight from word 0 or 8 on.
  @inline(__always)
  func uniforms(from word: Int) -> Vector {
    let half = word == 0 ? words.lowHalf : words.highHalf
    // Below 2²⁴ a signed integer converts without a test for its sign.
    return Vector(IntegerVector(truncatingIfNeeded: half &>> 8)) * 0x1p-24
  }
}

extension Threads {
  /// A loop over `count` elements, each with a number drawn uniformly from [0, 1): element i has
  /// word i mod 4 of block i / 4 of substream (`a`, `b`), on every device.
  ///
  /// - Parameter body: handles a stretch of elements with their numbers.
  @inline(__always)
  func random(
    _ count: Int, _ philox: Philox, _ a: @escaping () -> UInt32, _ b: UInt32,
    _ body: @escaping (Lanes, Vector) -> Void
  ) -> Step {
    loop(count, grain: 1024, alignment: 16) { range in
      let a = a()
      for start in stride(from: range.lowerBound, to: range.upperBound, by: 16) {
        let random = RandomLanes(philox, block: UInt64(start / 4), a, b)
        body(Lanes(start: start, limit: range.upperBound), random.uniforms(from: 0))
        if start + 8 < range.upperBound {
          body(Lanes(start: start + 8, limit: range.upperBound), random.uniforms(from: 8))
        }
      }
    }
  }
}
