import TernCore
import TernData

extension Trainer {
  /// Whether the loss says how well the network learns: where networks work against each other, or
  /// the loss is a difference of energies, it does not.
  public var isLossTelling: Bool {
    ["accuracy", "loss"].contains(stage.objective.monitoredMetric ?? "")
  }

  /// Trains with a learning rate that rises from step to step, until the loss diverges. The
  /// parameters are of no use afterwards.
  ///
  /// - Parameters:
  ///   - steps: how many steps go from the lowest rate to the highest.
  ///   - lowest: the first step's rate.
  ///   - highest: the last step's rate.
  package func searchRate(steps: Int, lowest: Double, highest: Double) throws -> RateSearch {
    var search = RateSearch()
    for epoch in 0... {
      progress.epoch = epoch
      progress.batch = 0
      let loader = data.trainingLoader(configuration, epoch: epoch, startBatch: 0)
      defer { loader.cancel() }
      while let batch = try loader.next() {
        let number = progress.step
        let rate = RateSearch.rate(step: number, count: steps, lowest: lowest, highest: highest)
        let (passes, isUpdated) = try step(on: batch, rate: rate)
        guard isUpdated else { continue }
        let loss = Double(try passes[0].read(TrainingGraph.lossOutput).floats[0])
        guard search.add(rate: rate, loss: loss), progress.step < steps else { return search }
      }
    }
    return search
  }
}
