import TernCore
import Testing

@Suite struct PhiloxTests {
  /// The known answers published with the generator (Random123, kat_vectors, philox4x32 10).
  @Test func knownAnswers() {
    let cases: [(counter: Philox.Words, key: (UInt32, UInt32), expected: Philox.Words)] = [
      ((0, 0, 0, 0), (0, 0), (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
      (
        (.max, .max, .max, .max), (.max, .max),
        (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
      ),
      (
        (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), (0xa409_3822, 0x299f_31d0),
        (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
      ),
    ]
    for (counter, key, expected) in cases {
      let words = Philox(key: key).words(counter)
      #expect(words == expected)
    }
  }

  @Test func uniformsLieBelowOne() {
    #expect(Philox.uniform(.max) < 1)
    #expect(Philox.uniform(0) == 0)
  }

  @Test func streamsAndSubstreamsDiffer() {
    let a = Philox(seed: 7, stream: .shuffle)
    #expect(a.permutation(100) == a.permutation(100))
    #expect(a.permutation(100) != a.permutation(100, 1))
    #expect(a.permutation(100) != Philox(seed: 7, stream: .dropout).permutation(100))
    #expect(a.permutation(100) != Philox(seed: 8, stream: .shuffle).permutation(100))
    #expect(a.permutation(1000).sorted() == Array(0..<1000))
  }

  @Test func normalsHaveMeanZeroAndVarianceOne() {
    let values = Philox(seed: 1, stream: .initialization).normals(100_000).map(Double.init)
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    // Five standard errors.
    #expect(abs(mean) < 5 / 316)
    #expect(abs(variance - 1) < 5 * 1.42 / 316)
  }
}
