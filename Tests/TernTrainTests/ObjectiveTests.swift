import Foundation
import Tern
import TernTestSupport
import Testing

/// What networks that do not classify are trained for, by one body on every device.
@Suite struct ObjectiveTests {
  private static let devices = TestDevices.ids
  private static let tasks = [
    "denoising", "variational", "adversarial", "rbm", "belief", "deep", "memory",
  ]

  /// Small networks of each kind, on 8×8 pictures.
  private static func model(_ name: String) -> Model {
    func model(_ task: ModelTask, @LayerBuilder _ layers: () -> [NamedLayer]) -> Model {
      Model(
        name: name, inputShape: [1, 8, 8], classCount: 3, layers: Sequential(layers()), task: task)
    }
    switch name {
    case "denoising":
      return model(.reconstruction(noise: 0.2)) {
        Functional.flatten
        Linear(6)
        Functional.relu
        Linear(64)
      }
    case "variational":
      return model(.variational) {
        Sequential {
          Functional.flatten
          Linear(6)
        }.named("encoder")
        GaussianSampling().named("latent")
        Sequential { Linear(64) }.named("decoder")
      }
    case "adversarial":
      return model(.adversarial) {
        LatentNoise(4).named("latent")
        Sequential {
          Linear(4 * 16)
          Functional("reshape", ["shape": .list([.int(-1), .int(4), .int(4), .int(4)])])
          BatchNorm2D()
          Functional.relu
          ConvTranspose2D(1, kernel: 4, stride: 2, padding: 1)
          Functional("tanh")
        }.named("generator")
        Sequential {
          Conv2D(4, kernel: 4, stride: 2, padding: 1)
          BatchNorm2D()
          Functional("leaky_relu", ["negative_slope": .double(0.2)])
          Functional.flatten
          Linear(1)
        }.named("discriminator")
      }
    case "deep":
      return model(.deepBoltzmannMachine) {
        Functional.flatten.named("flatten")
        DeepBoltzmannMachine(12, 8).named("dbm")
      }
    case "memory":
      return model(.association) {
        Functional.flatten.named("flatten")
        HopfieldNetwork(sweeps: 2).named("memory")
      }
    case "rbm":
      return model(.contrastiveDivergence) {
        Functional.flatten.named("flatten")
        RestrictedBoltzmannMachine(12).named("rbm")
      }
    default:
      return model(.beliefNetwork) {
        Functional.flatten.named("flatten")
        RestrictedBoltzmannMachine(12).named("rbm1")
        RestrictedBoltzmannMachine(8).named("rbm2")
        Linear(3).named("fc")
      }
    }
  }

  /// All graphs of a network's training, on one session.
  private struct Steps {
    let session: Session
    let graphs: [TrainingGraph]
    let executables: [Executable]

    init(_ task: String, _ device: String, _ optimizer: Optimizer = .adam()) throws {
      session = Session(device: try DeviceCatalog.standard.open(device))
      graphs = try TrainingGraph.all(
        of: ObjectiveTests.model(task), batchSize: 8, update: .init(optimizer), seed: 3)
      executables = try session.compile(graphs.map(\.graph))
      for parameter in graphs.flatMap(\.parameters) {
        let value = parameter.initializer.value(parameter.shape, name: parameter.name, seed: 3)
        try session.write([parameter.name: value])
      }
    }

    /// Runs every graph once per step and returns the losses, step by step.
    func run(_ steps: Range<Int>, rate: Float = 0.01) throws -> [Float] {
      // Two kinds of pictures, each the other's negative: every pixel is as often dark as bright.
      let pixels = (0..<8 * 64).map { (i: Int) -> Float in
        let (sample, row) = (i / 64, i % 64 / 8)
        return Float((row + sample) % 2)
      }
      let values = [
        "images": HostTensor([8, 1, 8, 8], pixels),
        "targets": HostTensor([8], (0..<8).map { Int32($0 % 2) }),
      ]
      return try steps.flatMap { step in
        try executables.map { executable in
          let inputs = values.merging([
            "learning_rate": HostTensor([], [rate]), "step": HostTensor([], [Int32(step + 1)]),
          ]) { a, _ in a }
          return try executable.run(inputs)["loss"]!.floats[0]
        }
      }
    }

    func variables() throws -> [String: HostTensor] {
      Dictionary(
        uniqueKeysWithValues: try session.variableNames.map { ($0, try session.read($0)) })
    }
  }

  @Test(arguments: devices, tasks) func sameSeedSameBits(device: String, task: String) throws {
    let results = try (0..<2).map { _ in
      let steps = try Steps(task, device)
      _ = try steps.run(0..<3)
      return try steps.variables()
    }
    #expect(results[0] == results[1])
  }

  @Test(arguments: devices, tasks) func goingOnGivesTheSameBits(device: String, task: String) throws
  {
    let whole = try Steps(task, device)
    _ = try whole.run(0..<4)
    let first = try Steps(task, device)
    _ = try first.run(0..<2)
    let second = try Steps(task, device)
    try second.session.write(try first.variables())
    _ = try second.run(2..<4)
    #expect(try second.variables() == whole.variables())
  }

  @Test(arguments: tasks) func devicesAgree(task: String) throws {
    // Adam makes a whole step of a gradient that is 0 but for roundings, as some of a machine's are whose
    // data and chains happen to agree.
    let optimizer = task == "deep" ? Optimizer.sgd() : .adam()
    let losses = try Self.devices.map { try Steps(task, $0, optimizer).run(0..<2) }
    for other in losses.dropFirst() {
      for (got, expected) in zip(other, losses[0]) {
        #expect(abs(got - expected) <= 2e-3 * max(1, abs(expected)), "\(got) for \(expected)")
      }
    }
  }

  /// Every parameter moves: each pass reaches its own, and none is left out.
  @Test(arguments: tasks) func everyParameterMoves(task: String) throws {
    let steps = try Steps(task, "cpu")
    let before = try steps.variables()
    _ = try steps.run(0..<2)
    let after = try steps.variables()
    for parameter in steps.graphs.flatMap(\.parameters) where parameter.isTrainable {
      #expect(before[parameter.name] != after[parameter.name], "\(parameter.name)")
    }
  }

  @Test(arguments: ["denoising", "variational"]) func lossFalls(task: String) throws {
    let losses = try Steps(task, "cpu").run(0..<150)
    #expect(losses.last! < 0.6 * losses[0], "\(losses[0]) \(losses.last!)")
  }

  /// The machine learns which pictures there are: it reconstructs them.
  @Test func contrastiveDivergenceReconstructs() throws {
    let steps = try Steps("rbm", "cpu", .sgd(momentum: 0.5))
    _ = try steps.run(0..<1)
    let name = TrainingGraph.metricPrefix + "reconstruction_error"
    let first = try steps.session.read(name).floats[0] / 8
    _ = try steps.run(1..<300, rate: 0.1)
    let before = try steps.session.read(name).floats[0]
    _ = try steps.run(300..<310, rate: 0.1)
    let last = (try steps.session.read(name).floats[0] - before) / 80
    #expect(first > 0.2 && last < 0.05, "\(first) \(last)")
  }

  /// A pass leaves the other network's parameters alone.
  @Test func passesUpdateTheirOwn() throws {
    let steps = try Steps("adversarial", "cpu")
    for (graph, prefix) in zip(steps.graphs, ["discriminator.", "generator."]) {
      for (variable, _) in graph.graph.assignments {
        let name = graph.graph[variable].name
        guard name.hasSuffix("weight") || name.hasSuffix("bias") else { continue }
        #expect(name.contains(prefix), "\(name)")
      }
    }
  }

  /// F(v) = −b·v − Σ log(1 + e^(c + W v)) is −log of the sum of e^−E(v, h) over all hidden states.
  @Test func freeEnergySumsOverHiddenStates() throws {
    let weight: [Float] = [0.5, -1, 2, 0.25, 1.5, -0.75]
    let (b, c, v): ([Float], [Float], [Float]) = ([0.1, -0.2, 0.3], [0.4, -0.6], [1, 0, 1])
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .training)
    let machine = RestrictedBoltzmannMachine(2)
    let chain = try machine.chain(
      from: builder.constant(HostTensor([1, 3], v)), steps: 1, in: context)
    builder.output("energy", chain.dataEnergy)
    let session = Session(device: try DeviceCatalog.standard.open("cpu"))
    let executable = try session.compile(builder.graph)
    try session.write([
      "weight": HostTensor([2, 3], weight), "visible_bias": HostTensor([3], b),
      "hidden_bias": HostTensor([2], c),
    ])
    let energy = try executable.run()["energy"]!.floats[0]
    var sum = 0.0
    for h in [[0, 0], [0, 1], [1, 0], [1, 1]] as [[Float]] {
      var exponent: Float = 0
      for i in 0..<3 { exponent += b[i] * v[i] }
      for j in 0..<2 {
        exponent += c[j] * h[j]
        for i in 0..<3 { exponent += h[j] * weight[3 * j + i] * v[i] }
      }
      sum += exp(Double(exponent))
    }
    #expect(abs(Double(energy) + log(sum)) < 1e-5)
  }

  /// Noise belongs to places in a batch, and what is measured does not depend on how a set is cut.
  @Test(arguments: tasks) func measuresDoNotDependOnTheBatchSize(task: String) throws {
    let count = 150
    let generator = Philox(seed: 5, stream: .data)
    let set = InMemoryDataset(
      pixels: generator.uniforms(count * 64, 1).map { UInt8($0 * 255) },
      labels: (0..<count).map { UInt8($0 % 3) }, sampleShape: [1, 8, 8],
      classNames: ["a", "b", "c"])
    let model = Self.model(task)
    let results = try [7, 64, 150].map { batchSize in
      let session = Session(device: try DeviceCatalog.standard.open("cpu"))
      let evaluator = try Evaluator(
        session: session, model: model, batchSize: batchSize, sampleCount: count,
        objective: model.objective())
      try session.write(model.initialValues(seed: 2))
      let loader = BatchLoader(
        set, batchSize: evaluator.batchSize,
        normalization: Normalization(means: [0], deviations: [1]))
      defer { loader.cancel() }
      return try evaluator.evaluate(loader).means
    }
    for result in results.dropFirst() {
      for (name, value) in results[0] {
        #expect(abs((result[name] ?? .nan) - value) <= 1e-5 * max(1, abs(value)), "\(name)")
      }
    }
  }
}
