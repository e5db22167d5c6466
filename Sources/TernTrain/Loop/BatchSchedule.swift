/// How an epoch is cut into batches, and which of them share an update.
struct BatchSchedule {
  let sampleCount: Int
  let batchSize: Int
  /// Batches per update.
  let accumulate: Int

  var batchCount: Int { (sampleCount + batchSize - 1) / batchSize }
  /// Updates per epoch; the last may have fewer batches than the others.
  var stepsPerEpoch: Int { (batchCount + accumulate - 1) / accumulate }

  /// What a batch is compiled for.
  struct Form: Hashable {
    let size: Int
    let position: ParameterUpdate.Position
  }

  func form(ofBatch batch: Int) -> Form {
    let isFirst = batch % accumulate == 0
    let isLast = batch % accumulate == accumulate - 1 || batch == batchCount - 1
    return Form(
      size: min(batchSize, sampleCount - batch * batchSize),
      position: isFirst ? (isLast ? .only : .first) : (isLast ? .last : .middle))
  }

  /// Whether all batches before `batch` have entered the parameters.
  func isBetweenUpdates(_ batch: Int) -> Bool { batch % accumulate == 0 || batch == batchCount }

  /// The updates that the batches before `batch` have made.
  func updates(before batch: Int) -> Int {
    batch >= batchCount ? stepsPerEpoch : batch / accumulate
  }

  /// All forms of an epoch's batches, the largest first.
  var forms: [Form] {
    var result: [Form] = []
    for batch in 0..<batchCount {
      let form = form(ofBatch: batch)
      if !result.contains(form) { result.append(form) }
    }
    return result
  }

  /// The samples of all batches that share the update of `batch`.
  func samplesOfUpdate(withBatch batch: Int) -> Int {
    let perUpdate = batchSize * accumulate
    return min(perUpdate, sampleCount - batch / accumulate * perUpdate)
  }
}
