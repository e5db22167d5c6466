import TernData

extension InMemoryDataset {
  /// 23 samples [1, 3, 4], each of a class of its own.
  static let numbered = InMemoryDataset(
    pixels: (0..<23 * 12).map { UInt8(truncatingIfNeeded: $0 * 7) },
    labels: (0..<23).map { UInt8($0) }, sampleShape: [1, 3, 4],
    classNames: (0..<23).map(String.init))
}

extension Normalization {
  /// Pixels scaled to [0, 1], no more.
  static let plain = Normalization(means: [0], deviations: [1])
}

/// Everything a loader delivers.
func batches(_ loader: BatchLoader) throws -> [(images: [Float], labels: [Int32])] {
  defer { loader.cancel() }
  var result: [([Float], [Int32])] = []
  while let batch = try loader.next() {
    result.append(
      (
        Array(batch.samples.bindMemory(to: Float.self)),
        Array(batch.targets.bindMemory(to: Int32.self))
      ))
  }
  return result
}
