import Foundation
import Tern
import TernTestSupport
import Testing

/// The classics: rules and memories from before back-propagation, on every device where that is fast.
@Suite struct ClassicsTests {
  /// Random patterns [P, F] of 1 and −1.
  private static func patterns(_ count: Int, _ width: Int, seed: UInt64 = 0) -> HostTensor {
    let draws = Philox(seed: seed, stream: .data).uniforms(count * width)
    return HostTensor([count, width], draws.map { Float($0 < 0.5 ? -1 : 1) })
  }

  /// Rows of patterns in turn, with exactly so many units of each turned round.
  private static func damaged(_ patterns: HostTensor, trials: Int, flips: Int) -> HostTensor {
    let width = patterns.shape[1]
    let generator = Philox(seed: 9, stream: .data)
    return HostTensor(
      [trials, width],
      (0..<trials).flatMap { trial in
        let row = trial % patterns.shape[0]
        var state = Array(patterns.floats[row * width..<(row + 1) * width])
        for unit in generator.permutation(width, UInt32(trial)).prefix(flips) {
          state[Int(unit)] *= -1
        }
        return state
      })
  }

  private static func overlaps(_ states: HostTensor, _ patterns: HostTensor) -> [Double] {
    let width = patterns.shape[1]
    return (0..<states.shape[0]).map { trial in
      let row = trial % patterns.shape[0]
      return (0..<width).reduce(0.0) {
        $0 + Double(states.floats[trial * width + $1] * patterns.floats[row * width + $1])
      } / Double(width)
    }
  }

  /// A network that was trained on patterns as a user trains one.
  private func stored(
    _ patterns: HostTensor, by name: String = "hopfield", on device: String
  ) throws -> [String: HostTensor] {
    let model = try ZooEntry.named(name).model(inputShape: [patterns.shape[1]])
    let data = try TrainingData(
      ValueDataset(
        values: patterns.floats, labels: [Int32](repeating: 0, count: patterns.shape[0]),
        sampleShape: [patterns.shape[1]], classNames: ["a", "b"]))
    // What Storkey's rule adds depends on the patterns before.
    var options = TrainingLoop.Options(batchSize: 16, epochs: 1)
    options.shuffles = false
    let loop = try TrainingLoop(
      model, data: data, on: TestDevices.open(device), options: options)
    try loop.trainEpoch()
    return try loop.weights()
  }

  private func recall(
    _ weights: [String: HostTensor], from states: HostTensor, on device: String
  ) throws -> HostTensor {
    let model = try ZooEntry.named("hopfield").model(inputShape: [states.shape[1]])
    return try TrainedNetwork(
      model, weights: weights, on: TestDevices.open(device), batchSize: states.shape[0]
    ).outputs(for: [states])[0]
  }

  @Test(arguments: TestDevices.ids) func hebbsRuleStoresOuterProducts(device: String) throws {
    let (count, width) = (24, 20)
    let patterns = Self.patterns(count, width)
    let weight = try #require(try stored(patterns, on: device)["memory.weight"])
    for row in 0..<width {
      for column in 0..<width {
        var sum: Float = 0
        for p in 0..<count {
          sum += patterns.floats[p * width + row] * patterns.floats[p * width + column]
        }
        let expected = row == column ? 0 : sum / Float(width)
        #expect(abs(weight.floats[row * width + column] - expected) < 1e-5)
      }
    }
  }

  /// N = 200 units, 0.10·N patterns, 15 % of the units turned round.
  @Test(arguments: TestDevices.fast) func aTenthOfItsUnitsInPatternsIsRecalled(device: String)
    throws
  {
    let patterns = Self.patterns(20, 200)
    let weights = try stored(patterns, on: device)
    let states = try recall(
      weights, from: Self.damaged(patterns, trials: 100, flips: 30), on: device)
    let recalled = Self.overlaps(states, patterns).count { $0 >= 0.95 }
    #expect(recalled >= 95, "\(recalled) of 100")
  }

  /// Δw_ij = (x_i x_j − x_i h_ji − h_ij x_j)/F with h_ij = Σ w_ik x_k over all k but i and j, pattern by
  /// pattern.
  @Test(arguments: TestDevices.ids) func storkeysRuleStoresWhatIsNew(device: String) throws {
    let (count, width) = (24, 20)
    let patterns = Self.patterns(count, width)
    let weight = try #require(
      try stored(patterns, by: "hopfield-storkey", on: device)["memory.weight"])
    var expected = [[Double]](repeating: .init(repeating: 0, count: width), count: width)
    for row in 0..<count {
      let x = (0..<width).map { Double(patterns.floats[row * width + $0]) }
      let old = expected
      func field(_ i: Int, without j: Int) -> Double {
        (0..<width).filter { $0 != i && $0 != j }.reduce(0) { $0 + old[i][$1] * x[$1] }
      }
      for i in 0..<width {
        for j in 0..<width where i != j {
          expected[i][j] +=
            (x[i] * x[j] - x[i] * field(j, without: i) - field(i, without: j) * x[j])
            / Double(width)
        }
      }
    }
    for (got, value) in zip(weight.doubles, expected.flatMap(\.self)) {
      #expect(abs(got - value) < 1e-4, "\(got) for \(value)")
    }
  }

  /// N = 200 units, 0.10·N patterns, 15 % of the units turned round: whole, where it is Storkey's rule.
  @Test(arguments: TestDevices.fast) func storkeysRuleRecallsWholePatterns(device: String) throws {
    let patterns = Self.patterns(20, 200)
    let states = try recall(
      try stored(patterns, by: "hopfield-storkey", on: device),
      from: Self.damaged(patterns, trials: 100, flips: 30), on: device)
    let whole = Self.overlaps(states, patterns).count { $0 == 1 }
    #expect(whole >= 95, "\(whole) of 100")
  }

  @Test func capacityFallsBeyondItsLimit() throws {
    let shares = try [0.10, 0.138, 0.25].map { load in
      let patterns = Self.patterns(Int(load * 200), 200)
      let states = try recall(
        try stored(patterns, on: "cpu"), from: Self.damaged(patterns, trials: 100, flips: 30),
        on: "cpu")
      return Double(Self.overlaps(states, patterns).count { $0 >= 0.95 }) / 100
    }
    #expect(shares[0] >= 0.95 && shares[1] < shares[0] && shares[2] < 0.2, "\(shares)")
  }

  /// Each unit that is looked at leaves the energy or lowers it; computed anew for every state.
  @Test(arguments: TestDevices.ids) func energyFallsAtEveryStep(device: String) throws {
    let width = 30
    let patterns = Self.patterns(3, width)
    let start = Self.damaged(patterns, trials: 4, flips: 9)
    let weight = try #require(try stored(patterns, on: device)["memory.weight"]).doubles
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let recall = try HopfieldNetwork(sweeps: 3).recall(
      from: builder.constant(start), in: context)
    builder.output("states", recall.states)
    builder.output("changes", recall.energyChanges)
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    try session.write(["weight": HostTensor([width, width], weight.map(Float.init))])
    let outputs = try executable.run()
    let changes = outputs["changes"]!.doubles
    let steps = recall.order.count
    #expect(steps == 3 * width)
    func energy(_ s: [Double]) -> Double {
      var sum = 0.0
      for i in 0..<width { for j in 0..<width { sum += s[i] * weight[i * width + j] * s[j] } }
      return -sum / 2
    }
    for sample in 0..<4 {
      var state = Array(start.doubles[sample * width..<(sample + 1) * width])
      var last = energy(state)
      var falls = 0
      for (step, unit) in recall.order.enumerated() {
        let field = (0..<width).reduce(0.0) { $0 + weight[unit * width + $1] * state[$1] }
        if abs(field) > 1e-6 { state[unit] = field > 0 ? 1 : -1 }
        let now = energy(state)
        #expect(now <= last + 1e-6, "step \(step)")
        #expect(abs(now - last - changes[sample * steps + step]) < 1e-4, "step \(step)")
        if now < last - 1e-6 { falls += 1 }
        last = now
      }
      #expect(falls > 0)
      let end = Array(outputs["states"]!.doubles[sample * width..<(sample + 1) * width])
      #expect(end == state)
    }
  }

  @Test(arguments: TestDevices.ids) func pairsAreRecalledBothWays(device: String) throws {
    let (inputs, targets) = (Self.patterns(4, 40, seed: 1), Self.patterns(4, 24, seed: 2))
    let model = try ZooEntry.named("bam").model(inputShape: [40], classCount: 24)
    let set = ValueDataset(
      values: inputs.floats, numbers: targets.floats, sampleShape: [40],
      targetNames: (0..<24).map { "y\($0)" })
    let loop = try TrainingLoop(
      model, data: TrainingData(set), on: TestDevices.open(device),
      options: .init(batchSize: 3, epochs: 1))
    try loop.trainEpoch()
    let weight = try loop.weights()["memory.weight"]!
    for row in 0..<24 {
      for column in 0..<40 {
        let sum = (0..<4).reduce(Float(0)) {
          $0 + targets.floats[$1 * 24 + row] * inputs.floats[$1 * 40 + column]
        }
        #expect(weight.floats[row * 40 + column] == sum)
      }
    }
    // From one side with 15 % turned round, by the run's own measure, and from the other.
    let measured = try loop.evaluate().means
    #expect(measured["recalled"] == 1, "\(measured)")
    #expect(measured["forward"] == 1 && measured["backward"] == 1)
    let network = try TrainedNetwork(
      model, weights: loop.weights(), on: TestDevices.open(device), batchSize: 4)
    #expect(try network(inputs)[0] == targets)
  }

  @Test func hebbsRuleAddsTheInputsOfAClass() throws {
    let values: [Float] = [1, 0, 2, 0, 1, -1, 3, 1, 0]
    let labels: [Int32] = [0, 1, 0]
    let model = try ZooEntry.named("hebb").model(inputShape: [3], classCount: 2)
    var options = TrainingLoop.Options(
      batchSize: 3, epochs: 1, optimizer: .sgd(), learningRate: 1)
    options.shuffles = false
    let set = ValueDataset(
      values: values, labels: labels, sampleShape: [3], classNames: ["a", "b"])
    let loop = try TrainingLoop(
      model, data: TrainingData(set), on: TestDevices.open("cpu"), options: options)
    try loop.trainEpoch()
    let weight = try loop.weights()["fc.weight"]!.floats
    for column in 0..<3 {
      let sum = (0..<3).reduce(Float(0)) {
        $0 + (labels[$1] == 0 ? 1 : -1) * values[3 * $1 + column]
      }
      #expect(abs(weight[column] - sum / 3) < 1e-6 && abs(weight[3 + column] + sum / 3) < 1e-6)
    }
  }

  /// Widrow and Hoff's rule ends at the weights of least squares on targets of 1 and −1.
  @Test(arguments: TestDevices.fast) func adalineReachesLeastSquares(device: String) throws {
    let count = 40
    let x = Philox(seed: 5, stream: .data).normals(2 * count)
    let noise = Philox(seed: 6, stream: .data).normals(count)
    let labels = (0..<count).map { (i: Int) -> Int32 in
      x[2 * i] - 0.5 * x[2 * i + 1] + 0.3 + 0.8 * noise[i] > 0 ? 1 : 0
    }
    let model = try ZooEntry.named("adaline").model(inputShape: [2], classCount: 2)
    let set = ValueDataset(
      values: x, labels: labels, sampleShape: [2], classNames: ["off", "on"])
    let loop = try TrainingLoop(
      model, data: TrainingData(set), on: TestDevices.open(device),
      options: .init(batchSize: count, epochs: 300, optimizer: .sgd(), learningRate: 0.3))
    for _ in 0..<300 { try loop.trainEpoch() }
    // The normal equations of (x1, x2, 1), by Cramer's rule.
    var a = [[Double]](repeating: [0, 0, 0], count: 3)
    var b = [0.0, 0, 0]
    for i in 0..<count {
      let row = [Double(x[2 * i]), Double(x[2 * i + 1]), 1]
      for r in 0..<3 {
        b[r] += row[r] * (labels[i] == 1 ? 1 : -1)
        for c in 0..<3 { a[r][c] += row[r] * row[c] }
      }
    }
    func determinant(_ m: [[Double]]) -> Double {
      m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    }
    let solution = (0..<3).map { column in
      determinant((0..<3).map { r in (0..<3).map { $0 == column ? b[r] : a[r][$0] } })
        / determinant(a)
    }
    let weights = try loop.weights()
    let (weight, bias) = (weights["fc.weight"]!.doubles, weights["fc.bias"]!.doubles)
    for (got, expected) in zip([weight[2], weight[3], bias[1]], solution) {
      #expect(abs(got - expected) < 1e-5, "\(got) for \(expected)")
    }
    #expect(abs(weight[0] + weight[2]) < 1e-6, "the other class's unit is the negative")
  }

  @Test(arguments: TestDevices.ids) func neuronsWithFixedWeightsAreGates(device: String) throws {
    let table = try TruthTable(
      of: ZooEntry.named("mcculloch-pitts").model(), on: TestDevices.open(device))
    #expect(table.outputNames == ["and", "or", "nand", "nor", "not", "xor"])
    let expected: [[Float]] = [
      [0, 0, 1, 1, 1, 0], [0, 1, 1, 0, 1, 1], [0, 1, 1, 0, 0, 1], [1, 1, 0, 0, 0, 0],
    ]
    #expect(table.rows.map(\.inputs) == [[0, 0], [0, 1], [1, 0], [1, 1]])
    #expect(table.rows.map(\.outputs) == expected)
  }
}

/// Machines that learn distributions.
@Suite struct BoltzmannTests {
  /// How often each state of four units comes in 400 samples: drawn from a flat Dirichlet distribution, so
  /// pairs of units alone do not tell it.
  private static let counts = [29, 8, 144, 10, 3, 48, 13, 15, 1, 20, 28, 6, 45, 6, 21, 3]
  private static let distribution = counts.map { Double($0) / 400 }

  private static let samples: [Float] = counts.enumerated().flatMap { state, count in
    let bits = (0..<4).map { Float(state >> (3 - $0) & 1) }
    return [[Float]](repeating: bits, count: count).flatMap(\.self)
  }

  private func set() -> ValueDataset {
    ValueDataset(
      values: Self.samples, labels: [Int32](repeating: 0, count: Self.samples.count / 4),
      sampleShape: [4], classNames: ["a", "b"])
  }

  @Test func aBoltzmannMachineLearnsTheDistribution() throws {
    #expect(abs(Self.distribution.reduce(0, +) - 1) < 1e-12 && Self.samples.count == 1600)
    let model = try ZooEntry.named("boltzmann").model()
    var options = TrainingLoop.Options(batchSize: 400, epochs: 3000, optimizer: .adam())
    options.schedule = Schedule(.cosine, baseRate: 0.1)
    options.seed = 1
    let loop = try TrainingLoop(
      model, objective: BoltzmannLearning(part: "machine", sweeps: 20), data: TrainingData(set()),
      on: TestDevices.open("cpu"), options: options)
    let first = try loop.evaluate().loss
    for _ in 0..<3000 { try loop.trainEpoch() }
    // Every state's probability, by the machine as a network.
    let logs = try TrainedNetwork(
      model, weights: loop.weights(), on: TestDevices.open("cpu"), batchSize: 16
    ).outputs(for: [BoltzmannMachine.states(4)])[0].doubles
    #expect(abs(logs.map(exp).reduce(0, +) - 1) < 1e-5, "they are probabilities")
    let variation =
      zip(logs, Self.distribution).reduce(0) { $0 + abs(exp($1.0) - $1.1) } / 2
    #expect(variation < 0.02, "\(variation)")
    let entropy = -Self.distribution.reduce(0) { $0 + $1 * log($1) }
    let last = try loop.evaluate().loss
    #expect(last < first && last - entropy < 0.005, "\(last) for \(entropy)")
  }

  /// log P(v) by the definition: Σ over hidden states of e^−E, over the sum of all states.
  @Test(arguments: TestDevices.ids) func probabilitiesAreThoseOfTheDefinition(device: String) throws
  {
    let (visible, hidden) = (3, 2)
    let count = visible + hidden
    let model = Model(
      name: "bm", inputShape: [visible], classCount: 2,
      layers: Sequential { BoltzmannMachine(hidden: hidden).named("machine") },
      task: .boltzmannMachine)
    let draws = Philox(seed: 2, stream: .data).normals(count * count + count)
    let (raw, bias) = (Array(draws.prefix(count * count)), Array(draws.suffix(count)))
    let logs = try TrainedNetwork(
      model,
      weights: [
        "machine.weight": HostTensor([count, count], raw),
        "machine.bias": HostTensor([count], bias),
      ], on: TestDevices.open(device), batchSize: 8
    ).outputs(for: [BoltzmannMachine.states(visible)])[0].doubles
    func energy(_ state: Int) -> Double {
      let s = (0..<count).map { Double(state >> (count - 1 - $0) & 1) }
      var sum = 0.0
      for i in 0..<count {
        sum += s[i] * Double(bias[i])
        for j in i + 1..<max(count, i + 1) where j < count {
          sum += s[i] * s[j] * Double(raw[i * count + j] + raw[j * count + i]) / 2
        }
      }
      return -sum
    }
    let all = (0..<1 << count).map { exp(-energy($0)) }
    let total = all.reduce(0, +)
    for v in 0..<8 {
      let sum = (0..<4).reduce(0.0) { $0 + all[v * 4 + $1] }
      #expect(abs(logs[v] - log(sum / total)) < 1e-4, "\(v)")
    }
  }

  /// Sampled long enough, a machine's states come as often as its energies say.
  @Test func gibbsSamplingDrawsFromTheMachine() throws {
    let count = 3
    let raw: [Float] = [0, 1, -0.5, 1, 0, 0.8, -0.5, 0.8, 0]
    let bias: [Float] = [0.2, -0.4, 0.1]
    let builder = GraphBuilder()
    let context = LayerContext(
      builder: builder, mode: .training, seed: 4,
      step: try builder.input("step", TensorType([], .int32)))
    let states = try builder.variable("states", [4096, count])
    let units = BoltzmannMachine.Units(
      weight: builder.constant(HostTensor([count, count], raw)),
      bias: builder.constant(HostTensor([count], bias)))
    builder.assign(
      states, try BoltzmannMachine.sampling(states, units, sweeps: 5, in: context))
    let session = Session(device: try TestDevices.open("cpu"))
    let executable = try session.compile(builder.graph)
    var counts = [Double](repeating: 0, count: 8)
    for step in 1...20 {
      _ = try executable.run(["step": HostTensor([], [Int32(step)])])
      guard step > 5 else { continue }
      let values = try session.read("states").floats
      for row in 0..<4096 {
        counts[(0..<3).reduce(0) { 2 * $0 + Int(values[3 * row + $1]) }] += 1
      }
    }
    let weights = (0..<8).map { (state: Int) -> Double in
      let s = (0..<3).map { Double(state >> (2 - $0) & 1) }
      var sum = 0.0
      for i in 0..<3 {
        sum += s[i] * Double(bias[i])
        for j in 0..<3 { sum += s[i] * s[j] * Double(raw[3 * i + j]) / 2 }
      }
      return exp(sum)
    }
    let (total, drawn) = (weights.reduce(0, +), counts.reduce(0, +))
    let variation = zip(counts, weights).reduce(0) { $0 + abs($1.0 / drawn - $1.1 / total) } / 2
    #expect(variation < 0.01, "\(variation)")
  }

  /// Bars in a 4×4 picture, one row or one column each: the machine reconstructs them better and better.
  @Test func aDeepMachineReconstructs() throws {
    let pictures = (0..<8).map { bar in
      (0..<16).map { Float((bar < 4 ? $0 / 4 == bar : $0 % 4 == bar - 4) ? 1 : 0) }
    }
    let set = ValueDataset(
      values: (0..<64).flatMap { pictures[$0 % 8] }, labels: [Int32](repeating: 0, count: 64),
      sampleShape: [16], classNames: ["a", "b"])
    let model = Model(
      name: "deep", inputShape: [16], classCount: 2,
      layers: Sequential { DeepBoltzmannMachine(24, 12).named("dbm") }, task: .deepBoltzmannMachine)
    let loop = try TrainingLoop(
      model, data: TrainingData(set), on: TestDevices.open("cpu"),
      options: .init(batchSize: 16, epochs: 150, optimizer: .adam(), learningRate: 0.01))
    for _ in 0..<2 { try loop.trainEpoch() }
    try loop.trainEpoch()
    let first = try loop.evaluate().means["reconstruction_error"]!
    for _ in 3..<150 { try loop.trainEpoch() }
    let last = try loop.evaluate().means["reconstruction_error"]!
    #expect(first > 0.1 && last < 0.05, "\(first) \(last)")
  }
}
