import Dispatch
import Synchronization
import TernCore

/// A batch on the host. The memory is the loader's and holds until the next call of
/// ``BatchLoader/next()``.
public struct Batch {
  public let count: Int
  /// [N, C, H, W], float32.
  public let images: UnsafeRawBufferPointer
  /// [N], int32; for a class per pixel [N, H, W].
  public let labels: UnsafeRawBufferPointer
  /// The labels of the samples that these are mixed with, and how much of each is its own: 1 where
  /// nothing is mixed.
  public let partnerLabels: UnsafeRawBufferPointer
  public let mix: Float
}

/// Delivers the batches of one epoch, prepared ahead by background threads.
///
/// Which sample is where depends on seed and epoch only, not on the number of workers. All memory is
/// allocated at the start. The threads end with the epoch, with ``cancel()``, or with the loader.
public final class BatchLoader {
  public var batchSize: Int { assembly.batchSize }
  public var batchCount: Int { assembly.batchCount }
  /// How long the consumer has waited for batches so far.
  public private(set) var waitSeconds = 0.0

  private let assembly: BatchAssembly
  private var position: Int
  private var held: BatchSlot?
  /// Why there are too few threads, which the next call of ``next()`` throws.
  private var startError: (any Error)?

  /// - Parameters:
  ///   - shuffle: the seed and the epoch that decide the order; `nil` keeps the dataset's own.
  ///   - startBatch: the first batch delivered; those before are skipped.
  ///   - augmentation: how samples are changed, and the seed and the epoch that decide it; `nil`
  ///     leaves them as they are.
  ///   - workers: threads that prepare batches; no more are started than there are batches. Where the
  ///     system gives none, ``next()`` throws.
  /// - Precondition: `normalization` is for as many channels as the samples have.
  public init(
    _ dataset: any Dataset, batchSize: Int, normalization: Normalization,
    shuffle: (seed: UInt64, epoch: Int)? = nil,
    augmentation: (Augmentation, seed: UInt64, epoch: Int)? = nil, startBatch: Int = 0,
    workers: Int = 1
  ) {
    precondition(batchSize >= 1 && workers >= 1 && startBatch >= 0)
    precondition(
      normalization.fits(dataset.sampleShape),
      "normalization of \(normalization.means.count) channels for \(dataset.sampleShape)")
    let order = shuffle.map { seed, epoch in
      Philox(seed: seed, stream: .shuffle).permutation(dataset.count, UInt32(epoch))
    }
    let assembly = BatchAssembly(
      dataset, order: order, batchSize: batchSize,
      preparation: SamplePreparation(dataset, normalization, augmentation),
      mixup: augmentation.flatMap { augmentation, seed, epoch in
        augmentation.mixup.map { Mixup(alpha: $0, seed: seed, epoch: epoch) }
      },
      workers: workers)
    self.assembly = assembly
    position = startBatch
    for worker in 0..<assembly.workers {
      // The threads hold the assembly, not the loader, so that a loader left early goes away.
      do {
        try BackgroundThread.start("tern-loader-\(worker)") {
          assembly.work(first: startBatch + worker, stride: assembly.workers)
        }
      } catch {
        startError = error
        assembly.cancel()
        break
      }
    }
  }

  deinit { assembly.cancel() }

  /// The next batch, or `nil` at the end of the epoch and after ``cancel()``.
  ///
  /// - Throws: ``TernError`` where a sample cannot be read.
  public func next() throws -> Batch? {
    held?.isFree.signal()
    held = nil
    guard position < batchCount else { return nil }
    if let startError {
      cancel()
      throw startError
    }
    let slot = assembly.slot(ofBatch: position)
    let start = DispatchTime.now().uptimeNanoseconds
    slot.isFull.wait()
    waitSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    if let error = slot.error {
      cancel()
      throw error
    }
    let count = assembly.count(ofBatch: position)
    position += 1
    held = slot
    let labelCount = count * assembly.targetElementCount
    return Batch(
      count: count,
      images: UnsafeRawBufferPointer(
        UnsafeBufferPointer(start: slot.images, count: count * assembly.sampleElementCount)),
      labels: UnsafeRawBufferPointer(
        UnsafeBufferPointer(start: slot.labels, count: labelCount)),
      partnerLabels: UnsafeRawBufferPointer(
        UnsafeBufferPointer(
          start: assembly.mixes ? slot.partnerLabels : slot.labels, count: labelCount)),
      mix: slot.mix)
  }

  /// Ends the epoch and the workers.
  public func cancel() {
    position = batchCount
    assembly.cancel()
  }
}

/// Memory for one batch: filled by a worker, then read by the consumer, in turns.
private final class BatchSlot: @unchecked Sendable {
  let images: UnsafeMutablePointer<Float>
  let labels: UnsafeMutablePointer<Int32>
  let partnerLabels: UnsafeMutablePointer<Int32>
  var mix: Float = 1
  /// Why it could not be filled.
  var error: (any Error)?
  let isFree = DispatchSemaphore(value: 0)
  let isFull = DispatchSemaphore(value: 0)

  init(sampleElementCount: Int, targetElementCount: Int, batchSize: Int) {
    images = .allocate(capacity: sampleElementCount * batchSize)
    labels = .allocate(capacity: targetElementCount * batchSize)
    partnerLabels = .allocate(capacity: targetElementCount * batchSize)
    isFree.signal()
  }

  deinit {
    images.deallocate()
    labels.deallocate()
    partnerLabels.deallocate()
  }
}

/// What a loader shares with its threads: the samples in their order, and a ring of slots.
private final class BatchAssembly: Sendable {
  let batchSize: Int
  let batchCount: Int
  let sampleElementCount: Int
  let targetElementCount: Int
  /// The threads that prepare batches, each every so manieth.
  let workers: Int
  private let dataset: any Dataset
  private let sampleCount: Int
  private let order: [Int32]?
  private let preparation: SamplePreparation
  private let mixup: Mixup?
  private let slots: [BatchSlot]
  private let isCancelled = Atomic(false)

  init(
    _ dataset: any Dataset, order: [Int32]?, batchSize: Int, preparation: SamplePreparation,
    mixup: Mixup?, workers: Int
  ) {
    self.mixup = mixup
    self.dataset = dataset
    self.order = order
    self.batchSize = batchSize
    self.preparation = preparation
    let sampleCount = dataset.count
    let elementCount = dataset.sampleShape.elementCount
    self.sampleCount = sampleCount
    let targetCount = dataset.targetShape.elementCount
    sampleElementCount = elementCount
    targetElementCount = targetCount
    batchCount = (sampleCount + batchSize - 1) / batchSize
    let threads = min(workers, max(batchCount, 1))
    self.workers = threads
    // A multiple of the number of workers, so that each slot is filled by one worker, in order: each
    // has one to fill while another waits to be read; a worker alone also needs one while the consumer
    // holds one.
    slots = (0..<(threads == 1 ? 3 : 2 * threads)).map { _ in
      BatchSlot(
        sampleElementCount: elementCount, targetElementCount: targetCount,
        batchSize: min(batchSize, sampleCount))
    }
  }

  var mixes: Bool { mixup != nil }

  func slot(ofBatch batch: Int) -> BatchSlot { slots[batch % slots.count] }

  func count(ofBatch batch: Int) -> Int { min(batchSize, sampleCount - batch * batchSize) }

  /// Prepares every `stride`-th batch, up to one that fails.
  func work(first: Int, stride: Int) {
    let scratch = UnsafeMutablePointer<Float>.allocate(capacity: sampleElementCount)
    defer { scratch.deallocate() }
    for batch in Swift.stride(from: first, to: batchCount, by: stride) {
      let slot = slot(ofBatch: batch)
      slot.isFree.wait()
      if isCancelled.load(ordering: .acquiring) { return }
      do { try fill(slot, batch, scratch) } catch { slot.error = error }
      slot.isFull.signal()
      if slot.error != nil { return }
    }
  }

  private func fill(_ slot: BatchSlot, _ batch: Int, _ scratch: UnsafeMutablePointer<Float>) throws
  {
    for i in 0..<count(ofBatch: batch) {
      let index = batch * batchSize + i
      let sample = order.map { Int($0[index]) } ?? index
      try preparation.copySample(
        sample, of: dataset, to: slot.images + i * sampleElementCount, scratch: scratch)
      try preparation.copyTarget(
        sample, of: dataset, to: slot.labels + i * targetElementCount)
    }
    if let mixup {
      slot.mix = mixup.mix(
        batch: batch, count: count(ofBatch: batch), sampleSize: sampleElementCount,
        images: slot.images, labels: slot.labels, partners: slot.partnerLabels)
    }
  }

  /// Wakes the workers that wait and makes all return.
  func cancel() {
    isCancelled.store(true, ordering: .releasing)
    for slot in slots { slot.isFree.signal() }
  }
}
