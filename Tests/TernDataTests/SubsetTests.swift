import TernCore
import TernData
import Testing

@Suite struct SubsetTests {
  private let dataset = InMemoryDataset.numbered

  @Test func splitsAreDisjointAndComplete() throws {
    let parts = try Subset.split(dataset, fraction: 0.3, seed: 4)
    let labels = { (set: Subset) in (0..<set.count).map { set.label($0) } }
    #expect(parts.second.count == 7)
    #expect((labels(parts.first) + labels(parts.second)).sorted() == Array(0..<23))
    #expect(
      try labels(Subset.split(dataset, fraction: 0.3, seed: 4).second) == labels(parts.second))
    #expect(
      try labels(Subset.split(dataset, fraction: 0.3, seed: 5).second) != labels(parts.second))
    for fraction in [0.001, 0.999, 0, 1, -1, 1e300, .nan, .infinity] {
      let error = #expect(throws: TernError.self) {
        try Subset.split(dataset, fraction: fraction, seed: 4)
      }
      #expect(error?.kind == .usage)
    }
  }
}
