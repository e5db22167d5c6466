import TernCore
import TernRuntime

// Single steps that train nothing.

extension Trainer {
  /// Runs one step on the first batch and checks its loss; writes nothing.
  ///
  /// - Returns: the loss of the first pass.
  public func dryRun() throws -> Double {
    try report(.start(start))
    let losses = try stepOnFirstBatch().map { try $0.read(TrainingGraph.lossOutput).floats[0] }
    guard let loss = losses.first, losses.allSatisfy(\.isFinite) else {
      throw diverged(TrainingGraph.lossOutput)
    }
    return Double(loss)
  }

  /// The time of every node of a training step, in Chrome's trace format.
  package func profile() throws -> JSON {
    let saved = try checkpoint()
    var events: [JSON] = []
    for executable in try stepOnFirstBatch() {
      _ = try executable.profile()
      if case .array(let trace) = try executable.trace() { events += trace }
    }
    // The steps above changed the state of the optimizer.
    try restore(saved)
    return .array(events)
  }

  /// Runs the passes of the first stage once.
  private func stepOnFirstBatch() throws -> [Executable] {
    let loader = data.trainingLoader(loop.options, epoch: 0, startBatch: 0)
    defer { loader.cancel() }
    guard let batch = try loader.next() else { return [] }
    let passes = stages[0].steps[batches.form(ofBatch: 0)] ?? []
    for pass in passes {
      try loop.upload(batch, number: 0, to: pass, rate: 0)
      try pass.step()
    }
    return passes
  }
}
