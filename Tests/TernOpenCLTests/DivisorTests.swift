import TernOpenCL
import Testing

@Suite struct DivisorTests {
  /// As `divided` in `Kernels/common/common.cl` does it.
  private func quotient(_ value: UInt32, _ divisor: Divisor) -> UInt32 {
    UInt32((UInt64(value << 1) * UInt64(divisor.factor)) >> 32) >> divisor.shift
  }

  @Test func aProductDividesAnyNumberOf31Bits() {
    let numbers =
      (0..<31).flatMap { power in [-1, 0, 1].map { (1 << power) + $0 } }
      + [3, 7, 49, 1000, 12_345, 100_003, 1_000_000_007, Int(Int32.max) - 1, Int(Int32.max)]
    for number in numbers where number > 0 {
      let divisor = Divisor(number)
      for value in numbers where value >= 0 {
        // Multiples and their neighbours are where rounding would show.
        for near in [value, value / number * number, value / number * number - 1] where near >= 0 {
          #expect(Int(quotient(UInt32(near), divisor)) == near / number, "\(near) / \(number)")
        }
      }
    }
  }
}
