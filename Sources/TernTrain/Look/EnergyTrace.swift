import TernCore
import TernGraph
import TernNN

/// The energy of a Hopfield network while it recalls a pattern from a damaged one: at the start, and after
/// each unit that was looked at.
package struct EnergyTrace: Sendable {
  package let sample: Int
  package let energies: [Double]
}

extension NetworkLook {
  /// The energies of the first test samples.
  ///
  /// - Parameter damage: the part of the units that are turned round first.
  package func energyTraces(damage: Double, sampleLimit: Int) throws -> [EnergyTrace] {
    let part = try model.partName(HopfieldNetwork.self)
    guard let network = try model.part(part) as? HopfieldNetwork else { return [] }
    let size = min(sampleLimit, data.test.count)
    let builder = GraphBuilder()
    let context = LayerContext.evaluation(builder, seed: seed, variablePrefix: "")
    let samples = SampleInputs(builder, model: model, batchSize: size)
    let patterns = try model.inputs(of: part, samples.images(), in: context).bipolar()
    try model.within(part, in: context) {
      let damaged = try context.damaged(patterns, by: damage)
      let weight = try network.weight(for: damaged, in: context)
      builder.output("start", try HopfieldNetwork.energy(damaged, weight))
      builder.output("changes", try network.recall(from: damaged, in: context).energyChanges)
    }
    let executable = try compiled(builder.graph)
    var traces: [EnergyTrace] = []
    try batches(of: data.test, size: size, limit: 1) { batch in
      try executable.upload(batch)
      try executable.step()
      let starts = try executable.read("start").doubles
      let changes = try executable.read("changes").doubles
      let count = changes.count / size
      traces = (0..<size).map { sample in
        var energies = [starts[sample]]
        for change in changes[sample * count..<(sample + 1) * count] {
          energies.append(energies.last! + change)
        }
        return EnergyTrace(sample: sample, energies: energies)
      }
    }
    return traces
  }
}
