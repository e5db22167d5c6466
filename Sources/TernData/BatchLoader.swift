import Dispatch
import Foundation
import Synchronization
import TernCore

/// A batch on the host. The memory is the loader's and holds until the next call of
/// ``BatchLoader/next()``.
public struct Batch {
  public let count: Int
  /// [N, C, H, W], float32.
  public let images: UnsafeRawBufferPointer
  /// [N], int32.
  public let labels: UnsafeRawBufferPointer
}

/// Delivers the batches of one epoch, prepared ahead by background threads.
///
/// Which sample is where depends on seed and epoch only, not on the number of workers. All memory is
/// allocated at the start.
public final class BatchLoader: @unchecked Sendable {
  public let batchSize: Int
  public let batchCount: Int

  private let dataset: any Dataset
  private let order: [Int32]?
  private let table: [Float]
  private let slots: [Slot]
  private let isCancelled = Atomic(false)
  private var position: Int
  private var held: Slot?
  /// How long the consumer has waited for batches so far.
  public private(set) var waitSeconds = 0.0

  /// Memory for one batch: filled by a worker, then read by the consumer, in turns.
  private final class Slot: @unchecked Sendable {
    let images: UnsafeMutablePointer<Float>
    let labels: UnsafeMutablePointer<Int32>
    let isFree = DispatchSemaphore(value: 0)
    let isFull = DispatchSemaphore(value: 0)

    init(sampleElementCount: Int, batchSize: Int) {
      images = .allocate(capacity: sampleElementCount * batchSize)
      labels = .allocate(capacity: batchSize)
    }

    deinit {
      images.deallocate()
      labels.deallocate()
    }
  }

  /// - Parameters:
  ///   - shuffle: the seed and the epoch that decide the order; `nil` keeps the dataset's own.
  ///   - startBatch: the first batch delivered; those before are skipped.
  ///   - workers: threads that prepare batches.
  public init(
    _ dataset: any Dataset, batchSize: Int, normalization: Normalization,
    shuffle: (seed: UInt64, epoch: Int)? = nil, startBatch: Int = 0, workers: Int = 1
  ) {
    self.dataset = dataset
    self.batchSize = batchSize
    batchCount = (dataset.count + batchSize - 1) / batchSize
    table = normalization.table
    order = shuffle.map { seed, epoch in
      Philox(seed: seed, stream: .shuffle).permutation(dataset.count, UInt32(epoch))
    }
    position = startBatch
    let size = min(batchSize, dataset.count)
    // A multiple of the number of workers, so that each slot is filled by one worker, in order.
    slots = (0..<workers * (workers == 1 ? 4 : 2)).map { _ in
      Slot(sampleElementCount: dataset.sampleShape.elementCount, batchSize: size)
    }
    for slot in slots { slot.isFree.signal() }
    for worker in 0..<workers {
      let thread = Thread { [self] in work(first: startBatch + worker, stride: workers) }
      thread.name = "tern-loader-\(worker)"
      thread.start()
    }
  }

  /// Prepares every `stride`-th batch. Batch b goes through slot b mod slots.count.
  private func work(first: Int, stride: Int) {
    var batch = first
    while batch < batchCount {
      let slot = slots[batch % slots.count]
      slot.isFree.wait()
      if isCancelled.load(ordering: .acquiring) {
        // Another worker may wait for the same slot.
        slot.isFree.signal()
        return
      }
      fill(slot, batch)
      slot.isFull.signal()
      batch += stride
    }
  }

  private func count(ofBatch batch: Int) -> Int {
    min(batchSize, dataset.count - batch * batchSize)
  }

  private func fill(_ slot: Slot, _ batch: Int) {
    let size = dataset.sampleShape.elementCount
    table.withUnsafeBufferPointer { table in
      for i in 0..<count(ofBatch: batch) {
        let index = batch * batchSize + i
        let sample = order.map { Int($0[index]) } ?? index
        dataset.copySample(sample, to: slot.images + i * size, table: table.baseAddress!)
        slot.labels[i] = dataset.label(sample)
      }
    }
  }

  /// The next batch, or `nil` at the end of the epoch.
  public func next() throws -> Batch? {
    held?.isFree.signal()
    held = nil
    guard position < batchCount else { return nil }
    let slot = slots[position % slots.count]
    if slot.isFull.wait(timeout: .now()) == .timedOut {
      let start = DispatchTime.now().uptimeNanoseconds
      slot.isFull.wait()
      waitSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
    let count = count(ofBatch: position)
    position += 1
    held = slot
    return Batch(
      count: count,
      images: UnsafeRawBufferPointer(
        UnsafeBufferPointer(start: slot.images, count: count * dataset.sampleShape.elementCount)),
      labels: UnsafeRawBufferPointer(UnsafeBufferPointer(start: slot.labels, count: count)))
  }

  /// Ends the workers. Must be called when a loader is left before its end, and may be otherwise.
  public func cancel() {
    isCancelled.store(true, ordering: .releasing)
    for slot in slots { slot.isFree.signal() }
  }
}
