/// The counter-based generator Philox4x32-10.
///
/// Every 128-bit counter gives four independent 32-bit words, so a number depends only on its key
/// and its position, never on the device, thread or order in which it is drawn.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
package struct Philox: Sendable {
  package typealias Words = (UInt32, UInt32, UInt32, UInt32)

  package let key: (UInt32, UInt32)

  package init(key: (UInt32, UInt32)) { self.key = key }

  /// The generator of one purpose (`stream`) under a user's `seed`.
  package init(seed: UInt64, stream: Stream) {
    self.init(key: Philox.key(seed: seed, stream: stream))
  }

  /// What the numbers are drawn for. Streams of one seed are independent.
  package enum Stream: UInt32, Sendable {
    case initialization = 1
    case shuffle = 2
    case dropout = 3
    case augmentation = 4
    case data = 5
    /// What a network draws while it runs.
    case noise = 6
    /// Which token a language model writes.
    case sampling = 7
  }

  /// The key of a stream: the seed's low word, and its high word offset by the stream.
  package static func key(seed: UInt64, stream: Stream) -> (UInt32, UInt32) {
    (
      UInt32(truncatingIfNeeded: seed),
      UInt32(truncatingIfNeeded: seed >> 32) ^ (stream.rawValue &* 0x9E37_79B9)
    )
  }

  /// The four words at a counter.
  @inlinable package func words(_ counter: Words) -> Words {
    var (c0, c1, c2, c3) = counter
    var (k0, k1) = key
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) &* UInt64(c0)
      let p1 = UInt64(0xCD9E_8D57) &* UInt64(c2)
      (c0, c1, c2, c3) = (
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c3 ^ k1, UInt32(truncatingIfNeeded: p0)
      )
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return (c0, c1, c2, c3)
  }

  /// The words at position `block` of substream (`a`, `b`).
  @inlinable package func words(block: UInt64, _ a: UInt32 = 0, _ b: UInt32 = 0) -> Words {
    words((UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), a, b))
  }

  /// A word as a number in [0, 1) with 24 random bits.
  @inlinable package static func uniform(_ word: UInt32) -> Float { Float(word >> 8) * 0x1p-24 }
}

extension Philox {
  /// `count` numbers drawn uniformly from [0, 1), of substream (`a`, `b`).
  package func uniforms(_ count: Int, _ a: UInt32 = 0, _ b: UInt32 = 0) -> [Float] {
    numbers(count, a, b) { w in
      (Self.uniform(w.0), Self.uniform(w.1), Self.uniform(w.2), Self.uniform(w.3))
    }
  }

  /// `count` numbers of substream (`a`, `b`), made of a block of four words at a time.
  func numbers(
    _ count: Int, _ a: UInt32, _ b: UInt32,
    _ make: ((UInt32, UInt32, UInt32, UInt32)) -> (Float, Float, Float, Float)
  ) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      for start in stride(from: 0, to: count, by: 4) {
        let x = make(words(block: UInt64(start / 4), a, b))
        buffer[start] = x.0
        if start + 1 < count { buffer[start + 1] = x.1 }
        if start + 2 < count { buffer[start + 2] = x.2 }
        if start + 3 < count { buffer[start + 3] = x.3 }
      }
      initializedCount = count
    }
  }

  /// A permutation of 0..<count (Fisher–Yates), of substream (`a`, `b`).
  package func permutation(_ count: Int, _ a: UInt32 = 0, _ b: UInt32 = 0) -> [Int32] {
    var order = Array(0..<Int32(count))
    guard count > 1 else { return order }
    for i in stride(from: count - 1, to: 0, by: -1) {
      let w = words(block: UInt64(i), a, b)
      let wide = (UInt64(w.0) << 32) | UInt64(w.1)
      order.swapAt(i, Int(wide.multipliedFullWidth(by: UInt64(i + 1)).high))
    }
    return order
  }
}
