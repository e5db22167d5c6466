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
    let normalization = try Normalization("auto", statisticsOf: dataset)
    let all = try batches(BatchLoader(dataset, batchSize: 23, normalization: normalization))[0]
      .images
    expectStandard(all)
    #expect(Normalization(text: normalization.text) == normalization)
  }

  @Test func givenNormalization() throws {
    let first = try batches(BatchLoader(dataset, batchSize: 1, normalization: plain))[1].images
    let none = try Normalization("none", statisticsOf: dataset)
    #expect(none == plain)
    let given = try Normalization("0.5, 0.25", statisticsOf: dataset)
    let second = try batches(BatchLoader(dataset, batchSize: 1, normalization: given))[1].images
    for (raw, normalized) in zip(first, second) {
      #expect(abs(normalized - (raw - 0.5) / 0.25) < 1e-6)
    }
    for text in ["1,0", "1,-1", "nan,1", "1,inf", "1", "1,2,3", "0.5,,0.5", "a,b", "", "Auto"] {
      let error = #expect(throws: TernError.self) {
        try Normalization(text, statisticsOf: dataset)
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
    let normalization = try Normalization("auto", statisticsOf: color)
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
    #expect(try Normalization("auto", statisticsOf: one).means[0] * 255 == 38.5)
    let flat = InMemoryDataset(
      pixels: [9, 9], labels: [0, 1], sampleShape: [1, 1, 1], classNames: ["a", "b"])
    let constant = try Normalization("auto", statisticsOf: flat)
    #expect(constant.deviations == [1])
  }
}

/// Vectors of features.
@Suite struct VectorNormalizationTests {
  /// 400 points whose two features vary together; the third is constant.
  private let points: ValueDataset = {
    let draws = Philox(seed: 5, stream: .data).normals(800)
    let values = (0..<400).flatMap { i -> [Float] in
      let (a, b) = (3 * draws[2 * i], 0.5 * draws[2 * i + 1])
      return [1000 + a + b, a - b - 20, 4]
    }
    return ValueDataset(
      values: values, labels: (0..<400).map { Int32($0 % 2) }, sampleShape: [3],
      classNames: ["a", "b"])
  }()

  private func values(_ text: String) throws -> (Normalization, [Float]) {
    let normalization = try Normalization(text, statisticsOf: points)
    #expect(Normalization(text: normalization.text) == normalization)
    return (
      normalization,
      try batches(BatchLoader(points, batchSize: 400, normalization: normalization))[0].images
    )
  }

  /// The mean of the product of two columns.
  private func moment(_ values: [Float], _ a: Int, _ b: Int) -> Double {
    (0..<400).reduce(0) { $0 + Double(values[$1 * 3 + a]) * Double(values[$1 * 3 + b]) } / 400
  }

  @Test func everyFeatureIsNormalizedByItsOwn() throws {
    let (normalization, scaled) = try values("auto")
    #expect(abs(normalization.means[0] - 1000) < 1)
    for column in 0..<2 { #expect(abs(moment(scaled, column, column) - 1) < 1e-3) }
    #expect(moment(scaled, 2, 2) == 0)
  }

  @Test func minMaxMapsToMinusOneToOne() throws {
    let scaled = try values("min-max").1
    for column in 0..<2 {
      let all = (0..<400).map { scaled[$0 * 3 + column] }
      #expect(abs(all.min()! + 1) < 1e-4)
      #expect(abs(all.max()! - 1) < 1e-4)
    }
    #expect(moment(scaled, 2, 2) == 0)
  }

  @Test func principalComponentsAreUncorrelatedAndInOrder() throws {
    let plain = try values("pca").1
    #expect(abs(moment(plain, 0, 1)) < 1e-2)
    #expect(moment(plain, 0, 0) > 10 * moment(plain, 1, 1))
    #expect(moment(plain, 2, 2) < 1e-6)
    let white = try values("pca-whiten").1
    for column in 0..<2 { #expect(abs(moment(white, column, column) - 1) < 1e-2) }
    #expect(abs(moment(white, 0, 1)) < 1e-3)
    // √(0 + 1e-5) is what the constant is divided by.
    #expect(moment(white, 2, 2) < 1e-3)
  }

  @Test func aPairForEachChannel() throws {
    let colors = InMemoryDataset(
      pixels: [UInt8](repeating: 255, count: 12), labels: [0, 1], sampleShape: [3, 1, 2],
      classNames: ["a", "b"])
    for text in ["imagenet", "0.485,0.229; 0.456,0.224; 0.406,0.225"] {
      let normalization = try Normalization(text, statisticsOf: colors)
      #expect(Normalization(text: normalization.text) == normalization)
      let all = try batches(BatchLoader(colors, batchSize: 1, normalization: normalization))
      for (value, expected) in zip(all[0].images, [2.2489, 2.2489, 2.4286, 2.4286, 2.64, 2.64]) {
        #expect(abs(value - Float(expected)) < 1e-4)
      }
    }
    for text in ["1,1;1,1", "imagenet"] {
      let error = #expect(throws: TernError.self) {
        try Normalization(text, statisticsOf: InMemoryDataset.numbered)
      }
      #expect(error?.message.hasSuffix("channels, the samples have 1") == true, "\(text)")
    }
  }

  @Test func picturesHaveNoPrincipalComponents() throws {
    let error = #expect(throws: TernError.self) {
      try Normalization("pca", statisticsOf: InMemoryDataset.numbered)
    }
    #expect(
      error?.message
        == "normalize: pca is for vectors of at most 1024 features, not for samples of [1, 3, 4]")
  }
}
