import TernCore
import Testing

@Suite struct OrderingTests {
  @Test func notANumberIsBehindEveryOther() {
    let values: [Double] = [3, .nan, -.infinity, 1, .nan, .infinity, 1]
    let sorted = values.sortedNaNLast()
    #expect(sorted.prefix(5) == [-.infinity, 1, 1, 3, .infinity])
    #expect(sorted.suffix(2).allSatisfy { $0.isNaN })
    // A strict weak order: nothing stands before itself, and what is tied stays tied.
    for a in values {
      #expect(!a.isOrdered(before: a) && a.isOrdered(with: a))
      for b in values {
        let relations = [a.isOrdered(before: b), b.isOrdered(before: a), a.isOrdered(with: b)]
        #expect(relations.count { $0 } == 1)
      }
    }
  }

  /// As PyTorch's argmax, so that a network that diverged is seen.
  @Test func theLargestIsTheFirstOfEqualsAndNaNIsLarger() {
    #expect([1.0, 5, 5, 2].indexOfLargest == 1)
    let broken: [Double] = [1, .infinity, .nan, .nan]
    #expect(broken.indexOfLargest == 2)
    #expect([Double]().indexOfLargest == nil)
    let values: [Double] = [1, .nan, 5, -.infinity, 5, .nan]
    #expect(values.indicesFromLargest == [2, 4, 0, 3, 1, 5])
  }

  @Test func rangesHoldFiniteNumbersOnly() {
    let some: [Double] = [.nan, 2, -.infinity, 5]
    #expect(some.finiteRange == 2...5)
    #expect([Double.nan, .infinity].finiteRange == nil)
  }
}
