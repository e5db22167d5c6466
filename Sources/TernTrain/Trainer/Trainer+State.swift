import Foundation
import TernCore
import TernData
import TernNN
import TernOptim

// Parameters, checkpoints, and the end of a run.

extension Trainer {
  func initialize() throws {
    let match = try configuration.initialWeights.map(configuration.located).map { path in
      let weights = try WeightsFile(path)
      let (file, naming) = weights.named(as: Set(parameters.map(\.name)))
      let match = WeightMatch(file.tensors, to: parameters, unread: file.unread)
      try match.requireAny(path: weights.path)
      initializationNotes =
        [weights.note, naming].compactMap(\.self)
        + ([match.loaded] + match.missing + match.unused + [file.unreadNote].compactMap(\.self)).map
      {
        "\(weights.path): \($0)"
      }
      return match
    }
    try loop.initialize(match?.values ?? [:])
  }

  func restore(_ checkpoint: Checkpoint) throws {
    resumptionNotes = try checkpoint.check(
      configuration, sampleCount: data.training.count, fingerprint: fingerprint)
    try loop.restore(
      weights: checkpoint.weights, state: checkpoint.state, progress: checkpoint.progress)
  }

  /// The state of the run. Its weights are those that evaluation uses: the averaged ones, where an
  /// average is kept; the others are state then.
  func checkpoint() throws -> Checkpoint {
    let (weights, state) = try loop.variables()
    var settings = Dictionary(uniqueKeysWithValues: configuration.decisiveSettings.map { ($0, $1) })
    settings[Checkpoint.sampleCountKey] = "\(data.training.count)"
    settings[Checkpoint.fingerprintKey] = fingerprint
    settings[Checkpoint.dataFaultKey] = dataFault
    return Checkpoint(
      weights: weights, description: data.description(of: model), state: state, progress: progress,
      settings: settings)
  }

  func save(isBest: Bool = false) throws {
    guard let run else { return }
    let checkpoint = try checkpoint()
    if checkpoint.firstNonFinite != nil { throw try divergence() }
    try run.save(checkpoint, isBest: isBest)
    try emit(.checkpoint(path: run.checkpointPath("last")))
  }

  /// - Parameter tensor: how a message names it.
  func diverged(_ tensor: String) -> TernError {
    TernError(
      .diverged,
      "training diverged at step \(progress.step): \(tensor) is not finite; "
        + "try a smaller \(Setting.flag("lr")) than \(configuration.resolvedLearningRate)")
  }

  // MARK: The end

  /// The same fault, with the run that goes on from what is saved.
  ///
  /// Where a sample could not be read, what was trained until then is saved first; after a failure of
  /// the device what was saved before is good.
  func failure(_ error: TernError) -> TernError {
    guard let run else { return error }
    if error.kind != .runtime, batches.isBetweenUpdates(progress.batch) {
      dataFault = error.message
      try? save()
      dataFault = nil
    }
    return TernError(error.kind, error.message, remedy: .resume(run: run.path))
  }

  func finish(_ reason: TrainingEvent.EndReason) throws -> TrainingEvent.End {
    let end = TrainingEvent.End(
      reason: reason,
      bestAccuracy: progress.history.map(\.test.accuracy).filter { !$0.isNaN }.max() ?? .nan,
      seconds: progress.seconds, peakRSSByteCount: Self.peakRSSByteCount,
      communication: loop.communicationTime)
    try emit(.end(end))
    try run?.writeSummary(summary(end))
    if let run { try run.writeReport(try report(end, sheet: run.newestSheet)) }
    return end
  }

  private func summary(_ end: TrainingEvent.End) -> JSON {
    let last = progress.history.last
    return .object([
      "model": .string(model.name), "parameters": .int(parameterCount),
      "device": .string(device.info.id), "device_name": .string(device.info.name),
      "reason": .string(end.reason.rawValue), "epochs": .int(progress.history.count),
      "steps": .int(progress.step), "test_accuracy": .double(last?.test.accuracy ?? .nan),
      "test_loss": .double(last?.test.loss ?? .nan), "best_accuracy": .double(end.bestAccuracy),
      "images_per_second": .double(medianRate), "plan_bytes": .int(trainingPlan.peakByteCount),
      "peak_rss_bytes": .int(end.peakRSSByteCount), "seconds": .double(end.seconds),
    ])
  }

  private func report(_ end: TrainingEvent.End, sheet: Data?) throws -> String {
    // A run that was over before it went on has no evaluation of its own; one that is told to end
    // does not wait for it.
    if testMetrics == nil, end.reason == .finished {
      testMetrics = try loop.evaluate(data.test).classification
    }
    return RunReport(
      title: "\(model.name) on \(configuration.data)", facts: facts(end),
      history: progress.history, sheet: sheet, metrics: testMetrics, testSet: data.test,
      settings: configuration.settings
    ).html
  }

  /// What a report begins with; what the network has no number for is left out.
  private func facts(_ end: TrainingEvent.End) -> [(name: String, value: String)] {
    func number(_ value: Double?, _ digits: Int) -> String? {
      guard let value, value.isFinite else { return nil }
      return value.formatted(
        .number.locale(Locale(identifier: "en_US")).precision(.fractionLength(digits)))
    }
    func memory(_ bytes: Int) -> String? {
      let (unit, size) = bytes < 1 << 20 ? ("KiB", 0x1p10) : ("MiB", 0x1p20)
      return number(Double(bytes) / size, 1).map { "\($0) \(unit)" }
    }
    let last = progress.history.last?.test
    let intersection =
      testMetrics?.isPerPixel == true ? testMetrics?.meanIntersectionOverUnion : nil
    var facts: [(name: String, value: String?)] = [
      ("result", end.reason.rawValue), ("test accuracy", number(last?.accuracy, 4)),
      ("mean IoU", number(intersection, 4)), ("test loss", number(last?.loss, 4)),
    ]
    for (name, value) in (last?.metrics ?? [:]).sorted(by: { $0.key < $1.key }) {
      facts.append(("test \(name)", number(value, 4)))
    }
    facts += [
      ("best test accuracy", number(end.bestAccuracy, 4)),
      ("epochs, steps", "\(progress.history.count), \(progress.step)"),
      ("parameters", number(Double(parameterCount), 0)),
      ("device", "\(device.info.id): \(device.info.name) (\(device.info.driver))"),
      ("images per second", number(medianRate, 0)),
      ("planned memory", memory(trainingPlan.peakByteCount)),
      ("training time", number(end.seconds, end.seconds < 1 ? 3 : 1).map { $0 + " s" }),
    ]
    return facts.compactMap { fact in fact.value.map { (fact.name, $0) } }
  }

  /// The median of the epochs' rates.
  private var medianRate: Double {
    // 0 where a run went on with an evaluation, all of whose epoch was trained before.
    let rates = progress.history.map(\.imagesPerSecond).filter { $0 > 0 }.sorted()
    return rates.isEmpty ? .nan : rates[rates.count / 2]
  }

  /// The largest resident size of the process so far.
  public static var peakRSSByteCount: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
  }
}
