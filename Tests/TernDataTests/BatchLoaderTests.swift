import TernCore
import TernData
import Testing

@Suite struct BatchLoaderTests {
  private let dataset = InMemoryDataset(
    pixels: (0..<23 * 12).map { UInt8(truncatingIfNeeded: $0 * 7) },
    labels: (0..<23).map { UInt8($0) }, sampleShape: [1, 3, 4],
    classNames: (0..<23).map(String.init))
  private let plain = Normalization(means: [0], deviations: [1])

  private func batches(_ loader: BatchLoader) throws -> [(images: [Float], labels: [Int32])] {
    defer { loader.cancel() }
    var result: [([Float], [Int32])] = []
    while let batch = try loader.next() {
      result.append(
        (
          Array(batch.images.bindMemory(to: Float.self)),
          Array(batch.labels.bindMemory(to: Int32.self))
        ))
    }
    return result
  }

  @Test func everySampleOnceAndTheLastBatchSmaller() throws {
    let result = try batches(
      BatchLoader(dataset, batchSize: 5, normalization: plain, shuffle: (3, 0)))
    #expect(result.map(\.labels.count) == [5, 5, 5, 5, 3])
    #expect(result.flatMap(\.labels).sorted() == Array(0..<23))
    for (images, labels) in result {
      for (i, label) in labels.enumerated() {
        #expect(images[i * 12] == Float(UInt8(truncatingIfNeeded: Int(label) * 12 * 7)) / 255)
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4]) func resultsDoNotDependOnWorkers(workers: Int) throws {
    let one = try batches(BatchLoader(dataset, batchSize: 2, normalization: plain, shuffle: (1, 2)))
    let many = try batches(
      BatchLoader(dataset, batchSize: 2, normalization: plain, shuffle: (1, 2), workers: workers))
    #expect(one.map(\.labels) == many.map(\.labels))
    #expect(one.map(\.images) == many.map(\.images))
  }

  @Test func resumingGivesTheRest() throws {
    let whole = try batches(
      BatchLoader(dataset, batchSize: 4, normalization: plain, shuffle: (9, 1)))
    let rest = try batches(
      BatchLoader(
        dataset, batchSize: 4, normalization: plain, shuffle: (9, 1), startBatch: 3, workers: 2))
    #expect(rest.map(\.labels) == whole.dropFirst(3).map(\.labels))
  }

  @Test func epochsDiffer() throws {
    let orders = try (0..<3).map { epoch in
      try batches(BatchLoader(dataset, batchSize: 23, normalization: plain, shuffle: (5, epoch)))[0]
        .labels
    }
    #expect(Set(orders).count == 3)
  }

  @Test func leavingEarlyEndsTheWorkers() throws {
    let loader = BatchLoader(dataset, batchSize: 1, normalization: plain, workers: 3)
    _ = try loader.next()
    loader.cancel()
  }

  @Test func automaticNormalizationGivesMeanZeroAndDeviationOne() throws {
    let normalization = try Normalization("auto", channels: 1, statisticsOf: dataset)
    let all = try batches(BatchLoader(dataset, batchSize: 23, normalization: normalization))[0]
      .images
    let mean = all.reduce(0, +) / Float(all.count)
    let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(all.count)
    #expect(abs(mean) < 1e-5)
    #expect(abs(variance - 1) < 1e-4)
    #expect(Normalization(text: normalization.text) == normalization)
    #expect(throws: TernError.self) {
      try Normalization("1,0", channels: 1, statisticsOf: dataset)
    }
  }

  @Test func splitsAreDisjointAndComplete() throws {
    let parts = try Subset.split(dataset, fraction: 0.3, seed: 4)
    let labels = { (set: Subset) in (0..<set.count).map { set.label($0) } }
    #expect(parts.second.count == 7)
    #expect((labels(parts.first) + labels(parts.second)).sorted() == Array(0..<23))
    #expect(throws: TernError.self) { try Subset.split(dataset, fraction: 0.001, seed: 4) }
  }
}
