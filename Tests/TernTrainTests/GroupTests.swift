import Foundation
import Synchronization
import Tern
import TernTestSupport
import Testing

@testable import TernTrain

/// Several members that train together: their weights do not depend on how many there are.
@Suite struct GroupTests {
  /// 46 pictures of three classes: batches of 12 leave a rest of 10, so that shards of 3 leave one of 1.
  private static let pictures: ValueDataset = {
    let generator = Philox(seed: 7, stream: .data)
    return ValueDataset(
      values: generator.normals(46 * 36, 0), labels: (0..<46).map { Int32($0 % 3) },
      sampleShape: [1, 6, 6], classNames: ["a", "b", "c"])
  }()

  private static func model(normalizes: Bool, drops: Bool = true) -> Model {
    Model(
      name: "small", inputShape: [1, 6, 6], classCount: 3,
      layers: Sequential {
        Conv2D(4, kernel: 3).named("conv")
        if normalizes { BatchNorm2D().named("norm") }
        Functional.relu.named("relu")
        Functional.flatten.named("flatten")
        if drops { Dropout(0.25).named("dropout") }
        Linear(3).named("fc")
      })
  }

  private static func loop(
    _ device: String, shards: Int = 1, accumulate: Int = 1, batchSize: Int = 12,
    normalizes: Bool = true, drops: Bool = true, group: (any ProcessGroup)? = nil,
    batchNorm: BatchNormStatistics = .local, bucketByteCount: Int? = nil, wire: WireType = .fp32,
    clipNorm: Double? = 1
  ) throws -> TrainingLoop {
    var options = TrainingLoop.Options(batchSize: batchSize, learningRate: 0.05)
    options.shards = shards
    options.accumulate = accumulate
    options.group = group
    options.batchNorm = batchNorm
    options.bucketByteCount = bucketByteCount ?? options.bucketByteCount
    options.wire = wire
    options.update.clipNorm = clipNorm
    options.averageDecay = 0.9
    options.update.keepsAverage = true
    var deviceOptions = DeviceOptions()
    deviceOptions.threads = 1
    return try TrainingLoop(
      model(normalizes: normalizes, drops: drops), data: TrainingData(pictures),
      on: DeviceCatalog.standard.open(device, options: deviceOptions), options: options)
  }

  struct Outcome: Sendable {
    var weights: [String: HostTensor] = [:]
    var training: [String: Double] = [:]
    var test: [String: Double] = [:]
    var losses: [Float] = []

    /// What is not the same to the bit.
    func differences(from other: Outcome) -> [String] {
      differences(ofWeightsFrom: other)
        + (training == other.training ? [] : ["training \(training) \(other.training)"])
        + (test == other.test ? [] : ["test \(test) \(other.test)"])
        + (losses == other.losses ? [] : ["losses \(losses) \(other.losses)"])
    }

    func differences(ofWeightsFrom other: Outcome) -> [String] {
      weights.keys.filter { weights[$0] != other.weights[$0] }.sorted()
    }
  }

  /// Trains two epochs with so many members, each a thread.
  private static func train(
    _ count: Int, _ make: @escaping @Sendable (ThreadGroup) throws -> TrainingLoop,
    course: @escaping @Sendable (TrainingLoop) throws -> Outcome = { try whole($0) }
  ) throws -> [Outcome] {
    let members = ThreadGroup.members(count)
    let outcomes = Mutex([Outcome](repeating: Outcome(), count: count))
    let failure = Mutex<(any Error)?>(nil)
    let done = DispatchSemaphore(value: 0)
    for member in members {
      Thread.detachNewThread {
        defer { done.signal() }
        do {
          let outcome = try course(make(member))
          outcomes.withLock { $0[member.rank] = outcome }
        } catch {
          failure.withLock { $0 = $0 ?? error }
          member.abort(TernError(.runtime, "\(error)"))
        }
      }
    }
    for _ in members { done.wait() }
    if let error = failure.withLock({ $0 }) { throw error }
    return outcomes.withLock { $0 }
  }

  private static func whole(_ loop: TrainingLoop) throws -> Outcome {
    var outcome = Outcome()
    for _ in 0..<2 { outcome.training = try loop.trainEpoch() }
    outcome.test = try loop.evaluate().means
    outcome.weights = try loop.weights()
    return outcome
  }

  @Test(arguments: TestDevices.ids) func anyNumberOfMembersGivesTheSameBits(device: String) throws {
    let one = try Self.whole(Self.loop(device, shards: 4))
    for (count, bucketByteCount) in [(2, 64), (3, nil), (4, 300)] {
      let outcomes = try Self.train(count) {
        try Self.loop(device, shards: 4, group: $0, bucketByteCount: bucketByteCount)
      }
      for outcome in outcomes { #expect(outcome.differences(from: one) == [], "\(count) members") }
    }
  }

  /// Without a norm of all gradients they go as they are stored; shards of other sizes than powers of two too.
  @Test(arguments: TestDevices.ids, [12, 16]) func gradientsGoAsTheyAreStored(
    device: String, batchSize: Int
  ) throws {
    let one = try Self.whole(Self.loop(device, shards: 4, batchSize: batchSize, clipNorm: nil))
    for (count, bucketByteCount) in [(2, 64), (3, nil), (4, 300)] {
      let outcomes = try Self.train(count) {
        try Self.loop(
          device, shards: 4, batchSize: batchSize, group: $0, bucketByteCount: bucketByteCount,
          clipNorm: nil)
      }
      for outcome in outcomes { #expect(outcome.differences(from: one) == [], "\(count) members") }
    }
  }

  /// Rounded on their way, gradients are nearly the same, and the same for every member.
  @Test(arguments: [2, 3, 4]) func roundedGradientsAreTheSameForAll(count: Int) throws {
    let exact = try Self.whole(Self.loop("cpu", shards: 4))
    let outcomes = try Self.train(count) {
      try Self.loop("cpu", shards: 4, group: $0, bucketByteCount: 64, wire: .bf16)
    }
    for outcome in outcomes { #expect(outcome.differences(from: outcomes[0]) == []) }
    #expect(outcomes[0].differences(ofWeightsFrom: exact) != [])
    for (name, value) in exact.weights {
      let other = try #require(outcomes[0].weights[name])
      #expect(zip(value.floats, other.floats).allSatisfy { abs($0 - $1) < 0.01 }, "\(name)")
    }
  }

  /// The gradients of a bucket are handed over before those of the layers before it are computed.
  @Test func bucketsAreCompleteBeforeTheBatchIs() throws {
    let member = ThreadGroup.members(2)[0]
    let loop = try Self.loop(
      "cpu", shards: 2, normalizes: false, group: member, bucketByteCount: 64)
    let batch = try #require(
      loop.stage.steps.first { $0.key.position.result == .handedOver }?.value[0])
    let names = batch.plan.graph.outputs.map(\.name).filter { $0.hasPrefix("sums.") }
    #expect(names.count > 2)
    let places = names.map { batch.plan.place(of: batch.plan.graph.output(named: $0)!) }
    let last = batch.plan.order.indices.last { place in
      batch.plan.graph.nodes[batch.plan.order[place]].scope.hasPrefix("backward.conv")
    }
    #expect(places.filter { $0 < last ?? 0 }.count >= names.count - 2, "\(places), \(last ?? 0)")
  }

  /// The loss of every update of some epochs, and the weights behind them.
  private static func course(_ loop: TrainingLoop, epochs: Int) throws -> Outcome {
    var outcome = Outcome()
    for _ in 0..<epochs {
      try loop.runBatches(until: .max) { started in
        if started.isUpdated {
          outcome.losses.append(try started.passes[0].read(TrainingGraph.lossOutput).floats[0])
        }
        return true
      }
      _ = try loop.endEpoch()
    }
    outcome.test = try loop.evaluate().means
    outcome.weights = try loop.weights()
    return outcome
  }

  /// Batches of 12 leave one of 10; of batches of 20 the last has work for two of four members.
  @Test(
    arguments: TestDevices.ids,
    [(batchSize: 12, members: 4), (batchSize: 20, members: 4), (batchSize: 12, members: 3)])
  func synchronizedBatchNormIsThatOfTheWholeBatch(
    device: String, form: (batchSize: Int, members: Int)
  ) throws {
    let epochs = (20 * form.batchSize + 45) / 46
    let one = try Self.course(
      Self.loop(device, batchSize: form.batchSize, drops: false), epochs: epochs)
    let outcomes = try Self.train(form.members) {
      try Self.loop(
        device, shards: form.members, batchSize: form.batchSize, drops: false, group: $0,
        batchNorm: .sync)
    } course: {
      try Self.course($0, epochs: epochs)
    }
    #expect(one.losses.count >= 20 && one.losses.last! < one.losses[0])
    for outcome in outcomes {
      #expect(outcome.differences(from: outcomes[0]) == [])
      let difference = zip(outcome.losses, one.losses).map { abs($0 - $1) }.max()!
      #expect(outcome.losses.count == one.losses.count && difference < 1e-5, "\(difference)")
      for (name, value) in one.weights {
        let other = try #require(outcome.weights[name])
        #expect(zip(value.floats, other.floats).allSatisfy { abs($0 - $1) < 1e-4 }, "\(name)")
      }
    }
    // Statistics of each shard are others.
    let local = try Self.train(form.members) {
      try Self.loop(
        device, shards: form.members, batchSize: form.batchSize, drops: false, group: $0)
    } course: {
      try Self.course($0, epochs: epochs)
    }
    #expect(abs(local[0].losses[0] - one.losses[0]) > 1e-4)
  }

  @Test func synchronizedBatchNormIsOfOneShardForEach() throws {
    let members = ThreadGroup.members(2)
    for (shards, accumulate, group) in [(4, 1, members[0]), (2, 2, members[0]), (2, 1, nil)] {
      let error = #expect(throws: TernError.self) {
        try Self.loop(
          "cpu", shards: shards, accumulate: accumulate, group: group, batchNorm: .sync)
      }
      #expect(error?.kind == .usage && error!.message.contains("every process computes one shard"))
    }
  }

  @Test func shardsAreLikeAccumulatedBatches() throws {
    let shards = try Self.whole(Self.loop("cpu", shards: 4, normalizes: false))
    let batches = try Self.whole(
      Self.loop("cpu", accumulate: 4, batchSize: 3, normalizes: false))
    #expect(shards.differences(ofWeightsFrom: batches) == [])
    let both = try Self.train(3) {
      try Self.loop("cpu", shards: 2, accumulate: 2, batchSize: 6, normalizes: false, group: $0)
    }
    for outcome in both { #expect(outcome.differences(ofWeightsFrom: shards) == []) }
  }

  @Test func whatCannotBeSharedIsSaid() throws {
    func message(_ body: () throws -> TrainingLoop) -> String {
      do { _ = try body() } catch { return "\(error)" }
      return ""
    }
    #expect(message { try Self.loop("cpu", shards: 5) }.contains("cannot be divided by 5"))
    let many = ThreadGroup.members(5)[0]
    #expect(message { try Self.loop("cpu", shards: 4, group: many) }.contains("too few for 5"))
  }

  /// Values that are there from the start.
  private final class GivenOutputs: StreamedOutputs, @unchecked Sendable {
    private let buckets: [UnsafeMutableBufferPointer<Float>]

    init(_ buckets: [[Float]]) {
      self.buckets = buckets.map { bucket in
        let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: bucket.count)
        _ = memory.initialize(from: bucket)
        return memory
      }
    }

    deinit { for bucket in buckets { bucket.deallocate() } }

    func bytes(_ index: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(buckets[index]) }
  }

  /// Sums by any number of members are those of one, whatever the number of batches.
  @Test(arguments: 1...9) func sumsDoNotDependOnTheMembers(planned: Int) throws {
    let generator = Philox(seed: 11, stream: .data)
    for leafCount in 1...planned {
      let leaves = (0..<leafCount).map { generator.normals(5, UInt32(16 * leafCount + $0)) }
      var expected: [Float]?
      for worldSize in 1...planned {
        let tree = SumTree(
          leafCount: leafCount, plannedLeafCount: planned, worldSize: worldSize)
        let owned = (0..<worldSize).flatMap { Array(tree.leaves(of: $0)) }
        #expect(owned == Array(0..<leafCount))
        let members = ThreadGroup.members(worldSize)
        let totals = Mutex([[Float]](repeating: [], count: worldSize))
        let done = DispatchSemaphore(value: 0)
        for member in members {
          Thread.detachNewThread {
            defer { done.signal() }
            let sum = try? Self.sum(leaves, tree, member)
            totals.withLock { $0[member.rank] = sum ?? [] }
          }
        }
        for _ in members { done.wait() }
        for total in totals.withLock({ $0 }) {
          expected = expected ?? total
          #expect(total == expected, "\(leafCount) of \(planned) by \(worldSize)")
        }
      }
      for (element, sum) in try #require(expected).enumerated() {
        #expect(abs(sum - leaves.reduce(0) { $0 + $1[element] }) < 1e-4)
      }
    }
  }

  /// What the graphs of a member and its ``SharedUpdate`` compute, in two buckets of numbers.
  private static func sum(
    _ leaves: [[Float]], _ tree: SumTree, _ member: ThreadGroup
  ) throws -> [Float] {
    let counts = [3, 2]
    let totals = SharedUpdate.Totals(counts: counts)
    let shared =
      tree.worldSize > 1 ? try SharedUpdate(member, counts: counts, trees: [tree]) : nil
    var kept: [Int: [Float]] = [:]
    for leaf in tree.leaves(of: member.rank) {
      let position = tree.position(ofLeaf: leaf, rank: member.rank)
      let sum = position.merges.reduce(leaves[leaf]) { sum, level in
        zip(kept[level]!, sum).map { $0 + $1 }
      }
      switch position.result {
      case .kept(let level): kept[level] = sum
      case .update: return sum
      case .handedOver:
        try shared?.add(
          try #require(tree.handedOver(withLeaf: leaf, rank: member.rank)), of: tree,
          GivenOutputs([Array(sum[..<3]), Array(sum[3...])]), to: totals,
          requests: { StepRequests() },
          run: { started in
            // A device may compute them in another order.
            try started(1)
            try started(0)
          })
      }
    }
    _ = try shared?.finish(tree, to: totals)
    return totals.buckets.flatMap(Array.init)
  }

  /// Every one of 2ⁿ members sends and adds the same share of a bucket, and no more than it must.
  @Test(arguments: [2, 4, 8, 16]) func membersShareTheWork(count: Int) {
    let tree = SumTree(leafCount: count, plannedLeafCount: count, worldSize: count)
    for rank in 0..<count {
      let schedule = SumSchedule(tree, rank: rank)
      func elements(_ transfers: [SumSchedule.Transfer]) -> Int {
        transfers.reduce(0) { $0 + schedule.elements($1.segments, of: 1024).count }
      }
      for rounds in [schedule.reducing, schedule.spreading] {
        let (sent, received) = (rounds.flatMap(\.sends), rounds.flatMap(\.receives))
        #expect(elements(sent) == 1024 - 1024 / count)
        #expect(elements(received) == 1024 - 1024 / count)
        #expect(rounds.allSatisfy { $0.sends.count <= 1 && $0.receives.count <= 1 })
      }
    }
  }

  /// A request of one member reaches all with the next update.
  @Test func requestsReachAll() throws {
    let tree = SumTree(leafCount: 3, plannedLeafCount: 3, worldSize: 3)
    let members = ThreadGroup.members(3)
    let heard = Mutex([StepRequests?](repeating: nil, count: 3))
    let done = DispatchSemaphore(value: 0)
    for member in members {
      Thread.detachNewThread {
        defer { done.signal() }
        let own = StepRequests(stop: member.rank == 1 ? SIGTERM : nil, checkpoint: member.rank == 2)
        let totals = SharedUpdate.Totals(counts: [1])
        let requests = try? {
          let shared = try SharedUpdate(member, counts: [1], trees: [tree])
          try shared.add(
            .init(start: member.rank, level: 0), of: tree, GivenOutputs([[1]]), to: totals,
            requests: { own }, run: { try $0(0) })
          return try shared.finish(tree, to: totals)
        }()
        heard.withLock { $0[member.rank] = requests }
      }
    }
    for _ in members { done.wait() }
    let expected = StepRequests(stop: SIGTERM, checkpoint: true)
    #expect(heard.withLock { $0 } == [expected, expected, expected])
  }

  @Test func membersThatDifferAreNamed() throws {
    let members = ThreadGroup.members(3)
    let done = DispatchSemaphore(value: 0)
    let message = Mutex("")
    for member in members {
      Thread.detachNewThread {
        defer { done.signal() }
        do {
          try member.check([("data", "same"), ("threads", member.rank == 2 ? "4" : "1")])
        } catch let error as TernError {
          if member.rank == 0 { message.withLock { $0 = error.message } }
          member.abort(error)
        } catch {}
      }
    }
    for _ in members { done.wait() }
    #expect(message.withLock { $0 } == "rank 2 has another threads: 4, where rank 0 has 1")
  }
}
