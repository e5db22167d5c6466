import Dispatch
import Synchronization
import TernCore

/// Delivers the batches of one epoch, prepared ahead by background threads.
///
/// Which sample is where depends on seed and epoch only, not on the number of workers. All memory is
/// allocated at the start. The threads end with the epoch, with ``cancel()``, or with the loader.
public final class BatchLoader {
  /// The samples of a batch; the last may have fewer.
  public var batchSize: Int { assembly.batchSize }
  /// The batches of an epoch.
  public var batchCount: Int { assembly.batchCount }
  /// How long the consumer has waited for batches so far.
  public private(set) var waitSeconds = 0.0

  private let assembly: BatchAssembly
  /// The batches that are delivered, and how many of them were.
  private let batches: [Int]
  private var position = 0
  private var held: BatchSlot?
  /// Why there are too few threads, which the next call of ``next()`` throws.
  private var startError: (any Error)?

  /// - Parameters:
  ///   - targetScale: what becomes of numbers to be predicted; `nil` leaves them as they are.
  ///   - shuffle: the seed and the epoch that decide the order; `nil` keeps the dataset's own.
  ///   - storesBytes: whether samples are delivered as bytes; ``PixelTable`` says what they stand for.
  ///   - batchesPerUpdate: over so many batches files with runs of samples are dealt out, where they are shuffled.
  ///   - batches: which batches of the epoch are delivered, in this order; all where `nil`.
  ///   - augmentation: how samples are changed, and the seed and the epoch that decide it; `nil`
  ///     leaves them as they are.
  ///   - workers: threads that prepare batches; no more are started than there are batches. Where the
  ///     system gives none, ``next()`` throws.
  /// - Precondition: `normalization` is for as many channels as the samples have, and samples that are stored as
  ///   bytes have a ``PixelTable``.
  public init(
    _ dataset: any Dataset, batchSize: Int, normalization: Normalization,
    targetScale: TargetScale? = nil, shuffle: (seed: UInt64, epoch: Int)? = nil,
    augmentation: (Augmentation, seed: UInt64, epoch: Int)? = nil, storesBytes: Bool = false,
    batchesPerUpdate: Int = 1, batches: [Int]? = nil, workers: Int = 1
  ) {
    precondition(batchSize >= 1 && workers >= 1)
    precondition(
      normalization.fits(dataset.sampleShape),
      "normalization of \(normalization.means.count) channels for \(dataset.sampleShape)")
    let assembly = BatchAssembly(
      dataset,
      order: SampleOrder(
        of: dataset, shuffle: shuffle, batchSize: batchSize, batchesPerUpdate: batchesPerUpdate),
      batchSize: batchSize,
      preparation: SamplePreparation(
        dataset, normalization, augmentation, targetScale: targetScale),
      mixup: augmentation.flatMap { augmentation, seed, epoch in
        augmentation.mixup.map { Mixup(alpha: $0, seed: seed, epoch: epoch) }
      },
      storesBytes: storesBytes, workers: workers)
    self.assembly = assembly
    let batches = batches ?? Array(0..<assembly.batchCount)
    self.batches = batches
    for worker in 0..<assembly.workers {
      // The threads hold the assembly, not the loader, so that a loader left early goes away.
      do {
        try BackgroundThread.start("tern-loader-\(worker)") {
          assembly.work(batches, first: worker)
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
    guard position < batches.count else { return nil }
    if let startError {
      cancel()
      throw startError
    }
    let slot = assembly.slot(position)
    let start = DispatchTime.now().uptimeNanoseconds
    slot.isFull.wait()
    waitSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    if let error = slot.error {
      cancel()
      throw error
    }
    let count = assembly.count(ofBatch: batches[position])
    position += 1
    held = slot
    return Batch(count: count, slot.buffers)
  }

  /// Ends the epoch and the workers.
  public func cancel() {
    position = batches.count
    assembly.cancel()
  }
}

/// Memory for one batch: filled by a worker, then read by the consumer, in turns.
private final class BatchSlot: @unchecked Sendable {
  /// The samples, the targets, and the other fields, in the order of ``Dataset/fields``; then the
  /// targets of partners, and how much of a sample is its own: 1 where nothing is mixed.
  let buffers: [Batch.Buffer]
  private let memory: [UnsafeMutableRawPointer]
  /// Why it could not be filled.
  var error: (any Error)?
  let isFree = DispatchSemaphore(value: 0)
  let isFull = DispatchSemaphore(value: 0)

  init(_ fields: [Field], batchSize: Int, mixes: Bool) {
    var memory: [UnsafeMutableRawPointer] = []
    func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
      memory.append(.allocate(byteCount: max(byteCount, 1), alignment: 64))
      return memory.last!
    }
    var buffers = fields.map {
      Batch.Buffer(
        name: $0.name, start: allocate(batchSize * $0.type.byteCount),
        byteCount: $0.type.byteCount)
    }
    let targets = buffers[1]
    buffers.append(
      Batch.Buffer(
        name: Field.partnerTargetsName,
        start: mixes ? allocate(batchSize * targets.byteCount) : targets.start,
        byteCount: targets.byteCount))
    let mix = allocate(MemoryLayout<Float>.size)
    mix.storeBytes(of: 1, as: Float.self)
    buffers.append(
      Batch.Buffer(
        name: Field.mixName, start: mix, byteCount: MemoryLayout<Float>.size, isPerBatch: true))
    self.buffers = buffers
    self.memory = memory
    isFree.signal()
  }

  deinit { for memory in memory { memory.deallocate() } }

  var samples: UnsafeMutableRawPointer { buffers[0].start }
  var targets: UnsafeMutableRawPointer { buffers[1].start }
  var partnerTargets: UnsafeMutableRawPointer { buffers[buffers.count - 2].start }
  var mix: UnsafeMutableRawPointer { buffers[buffers.count - 1].start }
}

/// What a loader shares with its threads: the samples in their order, and a ring of slots.
private final class BatchAssembly: Sendable {
  let batchSize: Int
  let batchCount: Int
  private let fields: [Field]
  private let storesBytes: Bool
  /// The threads that prepare batches, each every so manieth.
  let workers: Int
  private let dataset: any Dataset
  private let sampleCount: Int
  private let order: SampleOrder
  private let preparation: SamplePreparation
  private let mixup: Mixup?
  private let slots: [BatchSlot]
  private let isCancelled = Atomic(false)

  init(
    _ dataset: any Dataset, order: SampleOrder, batchSize: Int, preparation: SamplePreparation,
    mixup: Mixup?, storesBytes: Bool, workers: Int
  ) {
    self.storesBytes = storesBytes
    self.mixup = mixup
    self.dataset = dataset
    self.order = order
    self.batchSize = batchSize
    self.preparation = preparation
    let sampleCount = dataset.count
    var fields = dataset.fields
    if storesBytes { fields[0] = Field(fields[0].name, fields[0].type.shape, .uint8) }
    self.sampleCount = sampleCount
    self.fields = fields
    batchCount = (sampleCount + batchSize - 1) / batchSize
    let threads = min(workers, max(batchCount, 1))
    self.workers = threads
    // A multiple of the number of workers, so that each slot is filled by one worker, in order: each
    // has one to fill while another waits to be read; a worker alone also needs one while the consumer
    // holds one.
    slots = (0..<(threads == 1 ? 3 : 2 * threads)).map { _ in
      BatchSlot(fields, batchSize: min(batchSize, sampleCount), mixes: mixup != nil)
    }
  }

  func slot(_ position: Int) -> BatchSlot { slots[position % slots.count] }

  func count(ofBatch batch: Int) -> Int { min(batchSize, sampleCount - batch * batchSize) }

  /// Prepares the batches at every so manieth place of a list, up to one that fails.
  func work(_ batches: [Int], first: Int) {
    let scratch = UnsafeMutablePointer<Float>.allocate(
      capacity: (storesBytes ? 2 : 1) * fields[0].type.elementCount)
    defer { scratch.deallocate() }
    var cursor = SampleOrder.Cursor(order)
    for position in stride(from: first, to: batches.count, by: workers) {
      let slot = slot(position)
      slot.isFree.wait()
      if isCancelled.load(ordering: .acquiring) { return }
      do { try fill(slot, batches[position], &cursor, scratch) } catch { slot.error = error }
      slot.isFull.signal()
      if slot.error != nil { return }
    }
  }

  private func fill(
    _ slot: BatchSlot, _ batch: Int, _ cursor: inout SampleOrder.Cursor,
    _ scratch: UnsafeMutablePointer<Float>
  ) throws {
    for i in 0..<count(ofBatch: batch) {
      let sample = cursor.sample(at: batch * batchSize + i)
      let place = slot.samples + i * fields[0].type.byteCount
      if storesBytes {
        try preparation.copyBytes(sample, of: dataset, to: place, scratch: scratch)
      } else {
        try preparation.copySample(sample, of: dataset, to: place, scratch: scratch)
      }
      try preparation.copyTarget(
        sample, of: dataset, to: slot.targets + i * fields[1].type.byteCount)
      for other in fields.indices.dropFirst(2) {
        let buffer = slot.buffers[other]
        try dataset.copyField(other - 2, of: sample, to: buffer.start + i * buffer.byteCount)
      }
    }
    if let mixup {
      let own = mixup.mix(
        batch: batch, count: count(ofBatch: batch), sampleSize: fields[0].type.elementCount,
        images: slot.samples.assumingMemoryBound(to: Float.self),
        labels: slot.targets.assumingMemoryBound(to: Int32.self),
        partners: slot.partnerTargets.assumingMemoryBound(to: Int32.self))
      slot.mix.storeBytes(of: own, as: Float.self)
    }
  }

  /// Wakes the workers that wait and makes all return.
  func cancel() {
    isCancelled.store(true, ordering: .releasing)
    for slot in slots { slot.isFree.signal() }
  }
}
