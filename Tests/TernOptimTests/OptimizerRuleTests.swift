import Tern
import TernTestSupport
import Testing

/// Updates of some parameters by gradients that the host gives. Two of them share a group, so that a device
/// may update them together.
private struct Experiment {
  static let shapes: [(name: String, shape: Shape)] = [
    ("a.weight", [2, 2]), ("a.bias", [2]), ("a.extra.weight", [3]), ("b.weight", [2, 2]),
  ]
  static let rate: Float = 0.25

  /// The graph of a step.
  static func graph(
    _ optimizer: Optimizer, groups: [ParameterGroup] = [], decoupledDecay: Float = 0
  ) throws -> Graph {
    let builder = GraphBuilder()
    let parameters = try shapes.map { name, shape in
      (
        parameter: try builder.variable(name, shape),
        gradient: try builder.input("gradient.\(name)", shape)
      )
    }
    try optimizer.update(
      parameters, groups: groups, in: builder,
      learningRate: try builder.input(Optimizer.learningRateInput, []),
      step: try builder.input(Optimizer.stepInput, TensorType([], .int32)),
      decoupledDecay: decoupledDecay)
    return builder.graph
  }

  /// What a parameter starts at, and its gradient in a step, counted from 1.
  static func start(_ name: String, _ count: Int) -> [Float] {
    (0..<count).map { Float($0) - 0.75 + (name.hasPrefix("b") ? 0.5 : 0) }
  }
  static func gradient(_ name: String, _ count: Int, step: Int) -> [Float] {
    (0..<count).map { Float($0 * step) * 0.5 - (name.hasSuffix("bias") ? 1 : 0.25) }
  }

  /// The parameters after some steps.
  static func run(
    _ device: String, _ optimizer: Optimizer, groups: [ParameterGroup] = [],
    decoupledDecay: Float = 0, steps: Int = 3
  ) throws -> [String: [Float]] {
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(
      try graph(optimizer, groups: groups, decoupledDecay: decoupledDecay))
    for (name, shape) in shapes {
      try session.write([name: HostTensor(shape, start(name, shape.elementCount))])
    }
    for step in 1...steps {
      var inputs = [
        Optimizer.learningRateInput: HostTensor([], [rate]),
        Optimizer.stepInput: HostTensor([], [Int32(step)]),
      ]
      for (name, shape) in shapes {
        inputs["gradient.\(name)"] = HostTensor(
          shape, gradient(name, shape.elementCount, step: step))
      }
      // What the graph does not read is no input of the executable.
      let read = Set(executable.plan.graph.inputs.map { executable.plan.graph[$0].name })
      _ = try executable.run(inputs.filter { read.contains($0.key) })
    }
    return Dictionary(
      uniqueKeysWithValues: try shapes.map { ($0.name, try session.read($0.name).floats) })
  }

  /// The same by hand: `move` changes an element and its state, given the gradient, the learning rate
  /// and the step's number.
  static func byHand(
    steps: Int = 3,
    _ move: (
      _ name: String, _ p: inout Double, _ state: inout [Double], _ g: Double, _ step: Int
    ) -> Void
  ) -> [String: [Double]] {
    Dictionary(
      uniqueKeysWithValues: shapes.map { name, shape in
        let count = shape.elementCount
        return (
          name,
          (0..<count).map { index in
            var p = Double(start(name, count)[index])
            var state = [0.0, 0.0]
            for step in 1...steps {
              move(name, &p, &state, Double(gradient(name, count, step: step)[index]), step)
            }
            return p
          }
        )
      })
  }

  static func expect(
    _ got: [String: [Float]], _ expected: [String: [Double]],
    _ location: SourceLocation = #_sourceLocation
  ) {
    for (name, values) in expected {
      for (a, b) in zip(got[name] ?? [], values) {
        #expect(abs(Double(a) - b) <= 1e-5 * max(1, abs(b)), "\(name)", sourceLocation: location)
      }
      #expect(got[name]?.count == values.count, sourceLocation: location)
    }
  }
}

/// Chen et al., "Symbolic discovery of optimization algorithms", 2023.
private struct Lion: OptimizerRule {
  var decay: Float = 0.5
  var name: String { "lion" }
  var stateNames: [String] { ["exp_avg"] }

  func step(_ p: OptimizerStep) throws -> OptimizerStep.Result {
    let m = p.state[0]
    let direction = try (m.affine(scale: 0.9) + p.gradient.affine(scale: 0.1)).sign()
    let decayed = try direction + p.parameter.affine(scale: decay)
    return OptimizerStep.Result(
      parameter: try p.parameter - decayed * p.learningRate,
      state: [try m.affine(scale: 0.99) + p.gradient.affine(scale: 0.01)])
  }

  func scalingDecay(by factor: Float) -> Lion { Lion(decay: factor * decay) }
}

/// A rule without state and decay.
private struct SignDescent: OptimizerRule {
  var name: String { "sign" }
  func step(_ p: OptimizerStep) throws -> OptimizerStep.Result {
    OptimizerStep.Result(parameter: try p.parameter - p.gradient.sign() * p.learningRate)
  }
}

@Suite struct OptimizerRuleTests {
  /// A rule from outside runs on every device, and groups reach it.
  @Test(arguments: TestDevices.ids) func aRuleOfOnesOwn(device: String) throws {
    let groups = [ParameterGroup("a", rateFactor: 0.5), ParameterGroup("*.bias", decayFactor: 0)]
    for groups in [[], groups] {
      let expected = Experiment.byHand { name, p, state, g, _ in
        let (rate, decay) = ParameterGroup.factors(of: name, in: groups)
        let m = 0.9 * state[0] + 0.1 * g
        let direction: Double = m > 0 ? 1 : m < 0 ? -1 : 0
        p -= 0.25 * rate * (direction + 0.5 * decay * p)
        state[0] = 0.99 * state[0] + 0.01 * g
      }
      Experiment.expect(
        try Experiment.run(device, Optimizer(Lion()), groups: groups), expected)
    }
    Experiment.expect(
      try Experiment.run(device, Optimizer(SignDescent())),
      Experiment.byHand { _, p, _, g, _ in p -= 0.25 * (g > 0 ? 1 : g < 0 ? -1 : 0) })
  }

  @Test func rulesAreComparedByValue() {
    #expect(Optimizer(Lion()) == Optimizer(Lion()))
    #expect(Optimizer(Lion()) != Optimizer(Lion(decay: 0)))
    #expect(Optimizer(Lion()) != Optimizer.adam())
    #expect(Optimizer.adam() == Optimizer.adam(weightDecay: 0))
    #expect(Optimizer.adam() != Optimizer.adamW(weightDecay: 0))
    #expect(Optimizer(Lion()).name == "lion" && Optimizer.adamW().name == "adamw")
  }
}

@Suite struct ParameterGroupTests {
  private static let groups = [
    ParameterGroup("a", rateFactor: 0.5), ParameterGroup("*.bias", rateFactor: 3, decayFactor: 0),
    ParameterGroup("b.weight", decayFactor: 2),
  ]
  /// What the groups above multiply rate and decay of each parameter by.
  private static let factors = [
    "a.weight": (0.5, 1.0), "a.extra.weight": (0.5, 1.0), "a.bias": (1.5, 0.0),
    "b.weight": (1.0, 2.0),
  ]

  @Test(arguments: TestDevices.ids) func momentumByGroups(device: String) throws {
    let expected = Experiment.byHand { name, p, state, g, _ in
      let (rate, decay) = Self.factors[name]!
      state[0] = 0.5 * state[0] + g + 0.125 * decay * p
      p -= 0.25 * rate * state[0]
    }
    Experiment.expect(
      try Experiment.run(
        device, .sgd(momentum: 0.5, weightDecay: 0.125), groups: Self.groups), expected)
  }

  /// Adam's step does not grow with the gradient, but with the rate; AdamW's decay is past it.
  @Test(arguments: TestDevices.ids, [false, true])
  func adamByGroups(device: String, isDecoupled: Bool) throws {
    let expected = Experiment.byHand { name, p, state, g, step in
      let (rate, factor) = Self.factors[name]!
      let decay = 0.125 * factor
      let g = isDecoupled ? g : g + decay * p
      state[0] = 0.5 * state[0] + 0.5 * g
      state[1] = 0.75 * state[1] + 0.25 * g * g
      if isDecoupled { p -= 0.25 * rate * decay * p }
      let (m, v) = (
        state[0] / (1 - (1...step).reduce(1) { power, _ in power * 0.5 }),
        state[1] / (1 - (1...step).reduce(1) { power, _ in power * 0.75 })
      )
      p -= 0.25 * rate * m / (v.squareRoot() + 1e-8)
    }
    let optimizer: Optimizer =
      isDecoupled
      ? .adamW(beta1: 0.5, beta2: 0.75, weightDecay: 0.125)
      : .adam(beta1: 0.5, beta2: 0.75, weightDecay: 0.125)
    Experiment.expect(try Experiment.run(device, optimizer, groups: Self.groups), expected)
  }

  @Test(arguments: TestDevices.ids) func decoupledDecayByGroups(device: String) throws {
    let expected = Experiment.byHand { name, p, _, g, _ in
      let (rate, decay) = Self.factors[name]!
      p *= 1 - 0.25 * rate * 0.5 * decay
      p -= 0.25 * rate * g
    }
    Experiment.expect(
      try Experiment.run(device, .sgd(), groups: Self.groups, decoupledDecay: 0.5), expected)
  }

  /// A group of factors 1, or of other parameters, changes no node of the step.
  @Test func groupsWithoutEffectAreNoNodes() throws {
    let plain = try Experiment.graph(.adamW(), decoupledDecay: 0.5).description
    for groups in [[ParameterGroup("*")], [ParameterGroup("c", rateFactor: 2)]] {
      #expect(
        try Experiment.graph(.adamW(), groups: groups, decoupledDecay: 0.5).description == plain)
    }
    #expect(
      try Experiment.graph(.adamW(), groups: [ParameterGroup("a", rateFactor: 2)]).description
        != plain)
  }

  @Test(arguments: [
    ("features", "features.0.weight", true), ("features.0", "features.0.weight", true),
    ("features.0.weight", "features.0.weight", true), ("feature", "features.0.weight", false),
    ("0.weight", "features.0.weight", false), ("*.weight", "features.0.weight", true),
    ("*.weight", "features.0.weights", false), ("layer*.conv1", "layer1.0.conv1.weight", true),
    ("layer*.conv2", "layer1.0.conv1.weight", false), ("*", "fc.bias", true),
    ("f*.b*s", "fc.bias", true), ("f*.b*t", "fc.bias", false), ("", "fc.bias", false),
    ("**a**", "fc.bias", true), ("*é*", "café.bias", true),
  ])
  func whatAPatternStandsFor(pattern: String, parameter: String, isIn: Bool) {
    #expect(ParameterGroup(pattern).contains(parameter) == isIn)
  }

  @Test func groupsAreReadAsTheyAreWritten() throws {
    let group = try ParameterGroup(parsing: "layer1.*:lr=0.1,decay=0")
    #expect(group == ParameterGroup("layer1.*", rateFactor: 0.1, decayFactor: 0))
    #expect(try ParameterGroup(parsing: group.description) == group)
    #expect(try ParameterGroup(parsing: "a:b:decay=2") == ParameterGroup("a:b", decayFactor: 2))
    for text in [
      "a", "a:", ":lr=1", "a:lr", "a:lr=", "a:lr=-1", "a:lr=nan", "a:lr=inf", "a:lr=1,lr=2",
      "a:rate=1", "a:lr=1,", "",
    ] {
      #expect(throws: TernError.self, "\(text)") { try ParameterGroup(parsing: text) }
    }
  }

  @Test func layersLearnSlowerTheFurtherTheyAreFromTheOutput() {
    let groups = ParameterGroup.layerDecay(0.5, layers: ["stem", "layer1", "fc"])
    #expect(groups.map(\.rateFactor) == [0.25, 0.5, 1])
    #expect(ParameterGroup.factors(of: "layer1.0.bias", in: groups).rate == 0.5)
    #expect(ParameterGroup.factors(of: "other.bias", in: groups).rate == 1)
  }

  @Test func aGroupOfNothingIsAMistake() throws {
    try ParameterGroup.check(Self.groups, parameters: Array(Self.factors.keys))
    let error = #expect(throws: TernError.self) {
      try ParameterGroup.check(
        [ParameterGroup("layer1")], parameters: ["layer2.weight", "conv.weight"])
    }
    #expect(error?.message.contains("did you mean 'layer2'?") == true)
  }
}
