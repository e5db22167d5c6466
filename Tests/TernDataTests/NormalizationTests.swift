import TernCore
import TernData
import Testing

@Suite struct NormalizationTests {
  private let dataset = InMemoryDataset.numbered
  private let plain = Normalization.plain

  /// Expects a mean of 0 and a standard deviation of 1.
  private func expectStandard(
    _ values: [Float], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let count = Double(values.count)
    let mean = values.reduce(0.0) { $0 + Double($1) } / count
    let meanSquare = values.reduce(0.0) { $0 + Double($1) * Double($1) } / count
    #expect(abs(mean) < 1e-5, sourceLocation: sourceLocation)
    #expect(abs(meanSquare - mean * mean - 1) < 1e-4, sourceLocation: sourceLocation)
  }

  @Test func automaticNormalizationGivesMeanZeroAndDeviationOne() throws {
    let normalization = try Normalization("auto", channels: 1, statisticsOf: dataset)
    let all = try batches(BatchLoader(dataset, batchSize: 23, normalization: normalization))[0]
      .images
    expectStandard(all)
    #expect(Normalization(text: normalization.text) == normalization)
  }

  @Test func givenNormalization() throws {
    let first = try batches(BatchLoader(dataset, batchSize: 1, normalization: plain))[1].images
    let none = try Normalization("none", channels: 1, statisticsOf: dataset)
    #expect(none == plain)
    let given = try Normalization("0.5, 0.25", channels: 1, statisticsOf: dataset)
    let second = try batches(BatchLoader(dataset, batchSize: 1, normalization: given))[1].images
    for (raw, normalized) in zip(first, second) {
      #expect(abs(normalized - (raw - 0.5) / 0.25) < 1e-6)
    }
    for text in ["1,0", "1,-1", "nan,1", "1,inf", "1", "1,2,3", "0.5,,0.5", "a,b", "", "Auto"] {
      let error = #expect(throws: TernError.self) {
        try Normalization(text, channels: 1, statisticsOf: dataset)
      }
      #expect(error?.kind == .usage)
    }
    for text in ["", "1", "nan,1", "1,inf", "1,0", "1,x,2", "1,2;", "1,2;3"] {
      #expect(Normalization(text: text) == nil, "\(text)")
    }
  }

  @Test func channelsAreNormalizedEachByItsOwn() throws {
    // Planes above the size that is translated at once.
    let plane = 2500
    let color = InMemoryDataset(
      pixels: (0..<2 * 3 * plane).map { UInt8(truncatingIfNeeded: $0 &* $0 / 7) }, labels: [0, 1],
      sampleShape: [3, 50, 50], classNames: ["a", "b"])
    let normalization = try Normalization("auto", channels: 3, statisticsOf: color)
    #expect(Set(normalization.means).count == 3)
    #expect(Normalization(text: normalization.text) == normalization)
    let images = try batches(BatchLoader(color, batchSize: 2, normalization: normalization))[0]
      .images
    for channel in 0..<3 {
      let starts = [channel * plane, (3 + channel) * plane]
      expectStandard(starts.flatMap { images[$0..<$0 + plane] })
    }
    // A channel of one value stays at 0, and statistics follow the samples of a subset.
    let one = Subset(dataset, [0])
    #expect(try Normalization("auto", channels: 1, statisticsOf: one).means[0] * 255 == 38.5)
    let flat = InMemoryDataset(
      pixels: [9, 9], labels: [0, 1], sampleShape: [1, 1, 1], classNames: ["a", "b"])
    let constant = try Normalization("auto", channels: 1, statisticsOf: flat)
    #expect(constant.deviations == [1])
  }
}
