/// How an epoch is cut into batches, which of them share an update, and which of them this process computes.
struct BatchSchedule {
  let sampleCount: Int
  /// Samples of a batch; the epoch's last may have fewer.
  let batchSize: Int
  /// Batches per update.
  let accumulate: Int
  /// Which of the processes that share the batches of an update this one is, and how many there are.
  var rank = 0
  var worldSize = 1

  var batchCount: Int { (sampleCount + batchSize - 1) / batchSize }
  /// Updates per epoch; the last may have fewer batches than the others.
  var stepsPerEpoch: Int { (batchCount + accumulate - 1) / accumulate }

  /// What a batch is compiled for.
  struct Form: Hashable {
    let size: Int
    let position: BatchPosition

    /// When it is compiled: before those of higher numbers.
    var order: Int { position.source == .total ? 2 : position.isEnd ? 0 : 1 }
  }

  /// The tree in which the update that `batch` is part of sums its batches.
  func tree(ofBatch batch: Int) -> SumTree {
    let first = batch / accumulate * accumulate
    return SumTree(
      leafCount: min(accumulate, batchCount - first), plannedLeafCount: accumulate,
      worldSize: worldSize)
  }

  /// The batches of the epoch that share the update of `batch`.
  func batchesOfUpdate(withBatch batch: Int) -> Range<Int> {
    let first = batch / accumulate * accumulate
    return first..<min(first + accumulate, batchCount)
  }

  /// Those of them that this process computes.
  func ownBatches(ofUpdateWith batch: Int) -> Range<Int> {
    let first = batch / accumulate * accumulate
    let own = tree(ofBatch: batch).leaves(of: rank)
    return first + own.lowerBound..<first + own.upperBound
  }

  func form(ofBatch batch: Int) -> Form {
    Form(
      size: min(batchSize, sampleCount - batch * batchSize),
      position: tree(ofBatch: batch).position(ofLeaf: batch % accumulate, rank: rank))
  }

  /// The update of sums that several processes have computed.
  var updateForm: Form? {
    worldSize == 1 ? nil : Form(size: min(batchSize, sampleCount), position: .total)
  }

  /// Whether all batches before `batch` have entered the parameters.
  func isBetweenUpdates(_ batch: Int) -> Bool { batch % accumulate == 0 || batch == batchCount }

  /// The updates that the batches before `batch` have made.
  func updates(before batch: Int) -> Int {
    batch >= batchCount ? stepsPerEpoch : batch / accumulate
  }

  /// The batches from `start` to the epoch's end that this process computes.
  func ownBatches(from start: Int) -> [Int] {
    guard worldSize > 1 else { return Array(start..<max(start, batchCount)) }
    return stride(from: start, to: batchCount, by: accumulate).flatMap {
      ownBatches(ofUpdateWith: $0)
    }
  }

  /// All forms of an epoch's batches that this process computes, the largest first, and that of the update
  /// where it has a graph of its own.
  var forms: [Form] {
    var result: [Form] = []
    for batch in ownBatches(from: 0) {
      let form = form(ofBatch: batch)
      if !result.contains(form) { result.append(form) }
    }
    return result + [updateForm].compactMap(\.self)
  }

  /// The samples of all batches that share the update of `batch`.
  func samplesOfUpdate(withBatch batch: Int) -> Int {
    let perUpdate = batchSize * accumulate
    return min(perUpdate, sampleCount - batch / accumulate * perUpdate)
  }
}
