import Foundation
import TernCore
import TernData
import Testing

@Suite struct BatchLoaderTests {
  private let dataset = InMemoryDataset.numbered
  private let plain = Normalization.plain

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
        dataset, batchSize: 4, normalization: plain, shuffle: (9, 1), batches: [3, 4, 5], workers: 2
      ))
    #expect(rest.map(\.labels) == whole.dropFirst(3).map(\.labels))
    #expect(rest.map(\.images) == whole.dropFirst(3).map(\.images))
    #expect(
      try batches(BatchLoader(dataset, batchSize: 4, normalization: plain, batches: [])).isEmpty)
    let some = try batches(
      BatchLoader(
        dataset, batchSize: 4, normalization: plain, shuffle: (9, 1), batches: [1, 5, 4], workers: 2
      ))
    #expect(some.map(\.labels) == [1, 5, 4].map { whole[$0].labels })
  }

  @Test func withoutShufflingTheOrderIsTheDatasets() throws {
    let result = try batches(BatchLoader(dataset, batchSize: 6, normalization: plain))
    #expect(result.flatMap(\.labels) == Array(0..<23))
  }

  @Test func epochsDiffer() throws {
    let orders = try (0..<3).map { epoch in
      try batches(BatchLoader(dataset, batchSize: 23, normalization: plain, shuffle: (5, epoch)))[0]
        .labels
    }
    #expect(Set(orders).count == 3)
  }

  /// Counts the loaders' threads that hold it, by being held.
  private final class Tracked: Dataset {
    let count = 100
    let sampleShape: Shape = [1, 1, 1]
    let classNames = ["a", "b"]
    func label(_ index: Int) -> Int32 { 0 }
    func copySample(
      _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
    ) { destination[0] = 0 }
  }

  /// Whether nothing holds the dataset of the loader that `use` left, after a short while.
  private func isReleased(workers: Int, after use: (BatchLoader) throws -> Void) throws -> Bool {
    weak var dataset: Tracked?
    do {
      let tracked = Tracked()
      dataset = tracked
      try use(BatchLoader(tracked, batchSize: 1, normalization: plain, workers: workers))
    }
    for _ in 0..<500 where dataset != nil { Thread.sleep(forTimeInterval: 0.01) }
    return dataset == nil
  }

  @Test(arguments: [1, 3]) func theWorkersEndWithTheLoader(workers: Int) throws {
    #expect(try isReleased(workers: workers) { _ = try $0.next() })
    #expect(try isReleased(workers: workers) { _ in })
    #expect(try isReleased(workers: workers) { while try $0.next() != nil {} })
  }

  @Test(arguments: [1, 3]) func aCancelledLoaderDeliversNothing(workers: Int) throws {
    let loader = BatchLoader(dataset, batchSize: 1, normalization: plain, workers: workers)
    _ = try loader.next()
    loader.cancel()
    #expect(try loader.next() == nil)
    #expect(try loader.next() == nil)
  }

  /// A dataset that takes its time.
  private struct Slow: Dataset {
    let count = 4
    let sampleShape: Shape = [1, 1, 1]
    let classNames = ["a", "b"]
    func label(_ index: Int) -> Int32 { 0 }
    func copySample(
      _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
    ) { Thread.sleep(forTimeInterval: 0.05) }
  }

  @Test func waitingIsMeasured() throws {
    let loader = BatchLoader(Slow(), batchSize: 1, normalization: plain)
    while try loader.next() != nil {}
    #expect(loader.waitSeconds > 0.02)
    #expect(loader.waitSeconds < 5)
  }
}
