import TernCPU
import TernCore
import TernGraph
import TernRuntime
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
