import TernCPU
import TernCore
import TernGraph
import TernRuntime
import TernTestSupport
import Testing

@Suite struct DeviceTests {
  @Test func describesTheProcessor() throws {
    let info = try #require(CPUBackend().devices().first)
    #expect(info.id == "cpu" && info.kind == .cpu)
    #expect(info.driver.hasPrefix("oneDNN "))
    #expect(info.computeUnits > 0 && info.memoryByteCount > 0 && !info.name.isEmpty)
  }

  @Test func stepsAllocateNothingAndRepeatExactly() throws {
    var experiment = Experiment()
    try LayoutTests.network(
      channels: 16, rule: .sgd(momentum: 0.9, isNesterov: false, weightDecay: 0), &experiment)
    let device = try cpu()
    let session = Session(device: device)
    let executable = try session.compile(experiment.builder.graph)
    func train() throws -> [HostTensor] {
      try session.write(experiment.variables)
      for name in session.variableNames where experiment.variables[name] == nil {
        try session.write([name: HostTensor(repeating: 0, session.variableType(name)!.shape)])
      }
      for _ in 0..<3 { _ = try executable.run(experiment.inputs) }
      return try session.variableNames.map(session.read)
    }
    let before = device.allocationCount
    let (first, second) = (try train(), try train())
    #expect(device.allocationCount == before)
    #expect(first == second)
  }

  /// Sums are cut by shape, not by thread.
  @Test func sumsDoNotDependOnTheNumberOfThreads() throws {
    func sums(threads: Int) throws -> [String: HostTensor] {
      var experiment = Experiment()
      let x = try experiment.input("x", [33, 1201])
      experiment.builder.output("all", try x.sum())
      experiment.builder.output("rows", try x.mean([1]))
      experiment.builder.output("columns", try x.sum([0]))
      return try experiment.run(on: cpu(threads: threads))
    }
    #expect(try sums(threads: 1) == sums(threads: 3))
  }

  /// Channels innermost, in blocks with padding and without, in planes; with a relu behind and without.
  @Test(arguments: [[7, 20, 6, 5], [3, 32, 9, 40], [200, 24, 1, 1], [5, 3, 70], [4, 1, 1100]])
  func batchNormHasTheSameBitsOnAnyNumberOfThreads(_ shape: [Int]) throws {
    func results(threads: Int) throws -> [String: HostTensor] {
      var experiment = Experiment()
      let x = try experiment.input("x", Shape(shape))
      let (weight, bias) = (
        try experiment.input("weight", [shape[1]]), try experiment.input("bias", [shape[1]])
      )
      let y = try x.batchNormTraining(
        runningMean: nil, runningVariance: nil, weight: weight, bias: bias
      ).output
      for (name, result) in [("plain", y), ("rectified", try y.relu())] {
        experiment.builder.output(name, result)
        let dy = try experiment.input("d " + name, Shape(shape))
        let gradients = try experiment.builder.gradients(
          of: [(result, dy)], withRespectTo: [x, weight, bias])
        for (index, gradient) in gradients.enumerated() {
          experiment.builder.output("\(name) gradient \(index)", try #require(gradient))
        }
      }
      return try experiment.run(on: cpu(threads: threads))
    }
    let alone = try results(threads: 1)
    #expect(try results(threads: 2) == alone)
    #expect(try results(threads: 5) == alone)
  }

  @Test func rejectsIndicesOutOfRange() throws {
    func run(_ build: (GraphBuilder) throws -> Tensor, _ index: Int32) throws {
      let builder = GraphBuilder()
      builder.output("y", try build(builder))
      let executable = try Session(device: cpu()).compile(builder.graph)
      _ = try executable.run(["indices": HostTensor([2], [0, index])])
    }
    let indices = TensorType([2], .int32)
    func embed(_ builder: GraphBuilder) throws -> Tensor {
      try builder.input("indices", indices).embedding(weight: builder.variable("w", [4, 3]))
    }
    func loss(_ builder: GraphBuilder) throws -> Tensor {
      try builder.variable("x", [2, 4]).nllLoss(builder.input("indices", indices))
    }
    for build in [embed, loss] {
      try run(build, 3)
      #expect(throws: TernError.self) { try run(build, 4) }
      #expect(throws: TernError.self) { try run(build, -1) }
    }
  }

  @Test func rejectsNoThreads() {
    #expect(throws: TernError.self) { _ = try cpu(threads: 0) }
  }
}
