import TernCore
import TernData
import Testing

/// Samples mixed in pairs, and their labels with them.
@Suite struct MixupTests {
  /// Sample i is a picture of nothing but i, its class is i.
  private let pictures = InMemoryDataset(
    pixels: (0..<10).flatMap { [UInt8](repeating: UInt8($0), count: 4) },
    labels: (0..<10).map { UInt8($0) }, sampleShape: [1, 2, 2],
    classNames: (0..<10).map(String.init))

  private struct MixedBatch: Equatable {
    let values: [Float]
    let labels: [Int32]
    let partners: [Int32]
    let mix: Float
  }

  private func batches(
    _ text: String = "mixup:1", seed: UInt64 = 3, epoch: Int = 0, workers: Int = 1,
    batches: [Int]? = nil
  ) throws -> [MixedBatch] {
    let loader = BatchLoader(
      pictures, batchSize: 4, normalization: Normalization(means: [0], deviations: [1.0 / 255]),
      augmentation: (try Augmentation(text).prepared(for: pictures), seed, epoch),
      batches: batches, workers: workers)
    defer { loader.cancel() }
    var result: [MixedBatch] = []
    while let batch = try loader.next() {
      result.append(
        MixedBatch(
          values: Array(batch.samples.bindMemory(to: Float.self)),
          labels: Array(batch.targets.bindMemory(to: Int32.self)),
          partners: Array(batch[Field.partnerTargetsName]!.bindMemory(to: Int32.self)),
          mix: batch[Field.mixName]!.load(as: Float.self)))
    }
    return result
  }

  @Test func picturesAreMixedAsTheirLabelsSay() throws {
    let all = try batches()
    #expect(all.map(\.labels.count) == [4, 4, 2])
    for batch in all {
      #expect(batch.mix >= 0 && batch.mix <= 1)
      // Pairs: who is mixed with whom goes both ways, and nobody is left.
      for (label, partner) in zip(batch.labels, batch.partners) {
        #expect(label != partner)
        #expect(batch.partners[batch.labels.firstIndex(of: partner)!] == label)
      }
      for (i, value) in batch.values.enumerated() {
        let (own, other) = (Float(batch.labels[i / 4]), Float(batch.partners[i / 4]))
        #expect(abs(value - (batch.mix * own + (1 - batch.mix) * other)) < 1e-4)
      }
    }
    #expect(Set(all.map(\.mix)).count == 3)
  }

  @Test func dependsOnSeedEpochAndBatchAlone() throws {
    let all = try batches()
    #expect(try batches(workers: 4) == all)
    #expect(try batches(batches: [1, 2]) == Array(all.dropFirst()))
    #expect(try batches(epoch: 1) != all)
    #expect(try batches(seed: 4) != all)
  }

  /// The mean of λ is ½; its variance 1/(8α + 4).
  @Test(arguments: [0.2, 1, 4]) func followsTheBetaDistribution(alpha: Double) throws {
    let values = try (0..<200).flatMap { epoch in
      try batches("mixup:\(alpha)", epoch: epoch).map { Double($0.mix) }
    }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    #expect(abs(mean - 0.5) < 0.06)
    #expect(abs(variance * (8 * alpha + 4) - 1) < 0.2, "\(variance)")
  }

  @Test func withoutItNothingIsMixed() throws {
    for batch in try batches("flip:0") {
      #expect(batch.mix == 1 && batch.partners == batch.labels)
      #expect(batch.values == batch.labels.flatMap { [Float](repeating: Float($0), count: 4) })
    }
  }

  @Test func presetsStandInLists() throws {
    let augmentation = try Augmentation("cifar, mixup:0.4")
    #expect(augmentation.mixup == 0.4)
    #expect(try Augmentation("crop:4,flip,mixup:0.4") == augmentation)
    #expect(try Augmentation("imagenet,hsv") == Augmentation("resized-crop,flip,hsv"))
    for (text, message) in [
      ("mixup,mixup:1", "augment: mixup twice"),
      ("mixup:0", "augment: mixup takes the α of a Beta distribution, 0.01 to 10, got '0'"),
      ("hsv,imagenet", "augment: resized-crop has to come first"),
    ] {
      #expect(#expect(throws: TernError.self) { try Augmentation(text) }?.message == message)
    }
  }
}
