import TernCluster
import TernCore
import TernRuntime

/// Adds up what the batches of an update sum over the members of a group: what the graphs of batches hand over, the
/// graph of the update reads.
final class UpdateExchange {
  private let update: Executable
  /// The inputs of the update's graph that hold the buckets.
  private let inputs: [Int]
  /// Whether the update reads the sums where they are added up.
  private let isInPlace: Bool
  private let totals: SharedUpdate.Totals
  private let shared: SharedUpdate
  /// Of the graphs that hand over sums.
  private var streams: [ObjectIdentifier: any StreamedOutputs] = [:]

  /// - Parameters:
  ///   - trees: those of all updates.
  ///   - waitsForBatch: whether batches talk to the other members themselves.
  ///   - rounds: whether gradients are rounded to 16 bits on their way.
  init(
    _ group: any ProcessGroup, stage: CompiledStage, update: Executable, trees: [SumTree],
    waitsForBatch: Bool, rounds: Bool
  ) throws {
    self.update = update
    let graph = update.plan.graph
    var inputs: [Int] = []
    while let input = update.inputIndex(BatchSums.name(ofBucket: inputs.count)) {
      inputs.append(input)
    }
    self.inputs = inputs
    precondition(!inputs.isEmpty, "an update that reads no sums")
    let counts = inputs.map { graph.type(graph.inputs[$0]).elementCount }
    let places = inputs.compactMap { update.hostMemory(ofInput: $0)?.bindMemory(to: Float.self) }
    isInPlace = places.count == inputs.count
    totals = isInPlace ? .init(places: places) : .init(counts: counts)
    shared = try SharedUpdate(
      group, counts: counts, trees: trees, waitsForBatch: waitsForBatch, rounds: rounds)
    for (form, passes) in stage.steps where form.position.result == .handedOver {
      streams[ObjectIdentifier(passes[0])] = try passes[0].stream(
        inputs.indices.map(BatchSums.name(ofBucket:)))
    }
  }

  /// What all updates took so far.
  var time: CommunicationTime { shared.time }

  /// Starts a batch with which a block is complete, and hands over its sums.
  ///
  /// - Parameter requests: what this member asks for, taken with its last block.
  func step(
    _ batch: Executable, handingOver block: SumTree.Block, of tree: SumTree,
    requests: () -> StepRequests
  ) throws {
    guard let outputs = streams[ObjectIdentifier(batch)] else {
      preconditionFailure("a batch that hands over no sums")
    }
    try shared.add(block, of: tree, outputs, to: totals, requests: requests) {
      try batch.step(streaming: outputs, $0)
    }
  }

  /// Waits for the sums of all members, and hands them to the update's graph.
  ///
  /// - Returns: what any member asked for.
  /// - Throws: ``TernError`` where a member cannot be reached.
  func finish(_ tree: SumTree) throws -> StepRequests {
    let requests = try shared.finish(tree, to: totals)
    if !isInPlace {
      for (input, bucket) in zip(inputs, totals.buckets) {
        try update.upload(UnsafeRawBufferPointer(bucket), toInput: input)
      }
    }
    return requests
  }
}
