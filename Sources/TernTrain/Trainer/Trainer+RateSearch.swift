import TernCore
import TernData

extension Trainer {
  /// Whether the loss says how well the network learns: where networks work against each other, or
  /// the loss is a difference of energies, it does not.
  public var isLossTelling: Bool {
    [.accuracy, .loss].contains(stage.objective.monitoredMetric)
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
    while true {
      let goesOn = try loop.runBatches(until: .max) { step in
        RateSearch.rate(step: step, count: steps, lowest: lowest, highest: highest)
      } _: { batch in
        guard batch.isUpdated else { return true }
        let loss = Double(try batch.passes[0].read(TrainingGraph.lossOutput).floats[0])
        return search.add(rate: batch.rate, loss: loss) && progress.step < steps
      }
      guard goesOn else { return search }
      progress.epoch += 1
      progress.batch = 0
    }
  }
}
