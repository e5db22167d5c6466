import OpenCLCalls
import Tern
import TernOpenCL
import Testing

/// What a training step asks of OpenCL, counted at the calls themselves.
@Suite(.enabled(if: openCLDevice != nil)) struct CallTests {
  @Test(arguments: ["lenet5", "resnet20"])
  func aTrainingStepOnlyEnqueuesKernels(_ name: String) throws {
    let model = try Model.named(name)
    let objective = try model.objective()
    let graphs = try objective.passes.map {
      try TrainingGraph(
        model: model, objective: objective, pass: $0, batchSize: 2,
        update: .init(.sgd(momentum: 0.9)), seed: 0
      ).graph
    }
    let executables = try Session(device: open()).compile(graphs)
    func step() throws {
      for executable in executables { try executable.step() }
    }
    func synchronize() throws {
      for executable in executables { try executable.synchronize() }
    }
    for executable in executables {
      try executable.uploadIfRead(Float(1e-6), toInput: Optimizer.learningRateInput)
      try executable.uploadIfRead(Int32(1), toInput: Optimizer.stepInput)
    }
    try step()
    try synchronize()

    let before = opencl_calls_of_this_thread()
    for _ in 0..<5 { try step() }
    let after = opencl_calls_of_this_thread()
    #expect(after.allocations == before.allocations)
    #expect(after.events == before.events)
    #expect(after.waits == before.waits)
    #expect(after.preparations == before.preparations)
    let launches = after.launches - before.launches
    #expect(launches > 0 && launches % 5 == 0)

    // The counters do count.
    try synchronize()
    #expect(opencl_calls_of_this_thread().waits > after.waits)
  }

  @Test func aRecordedStepEnqueuesNoKernelByItselfAndComputesTheSame() throws {
    let device = try open(DeviceOptions(), "recorded-steps")
    guard device.recordsSteps else { return }
    let builder = GraphBuilder()
    let total = try builder.variable("total", [64, 64])
    let x = try builder.input("x", [64, 64])
    let rate = try builder.input("rate", [])
    let sum = try total + x.relu() * rate + x.exp().sum([0], keepsAxes: true)
    builder.assign(total, sum)
    builder.output("sum", sum)
    func run(on device: OpenCLDevice) throws -> (HostTensor, launches: Int) {
      let executable = try Session(device: device).compile(builder.graph)
      let before = opencl_calls_of_this_thread()
      for step in 0..<5 {
        let values = Philox(seed: 1, stream: .data).normals(64 * 64, UInt32(step))
        try executable.upload(HostTensor([64, 64], values), toInput: executable.inputIndex("x")!)
        try executable.upload(Float(step), toInput: "rate")
        try executable.step()
      }
      let after = opencl_calls_of_this_thread()
      #expect(after.allocations == before.allocations)
      #expect(after.preparations == before.preparations)
      return (try executable.read("sum"), after.launches - before.launches)
    }
    let (recorded, plain) = (try run(on: device), try run(on: open()))
    #expect(recorded.launches == 0 && plain.launches > 0)
    #expect(recorded.0 == plain.0)
  }

  @Test func anUploadIsWrittenWithoutWaiting() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [100])
    builder.output("y", try x.relu())
    let executable = try Session(device: open()).compile(builder.graph)
    // More than the ring of staged inputs holds; the device keeps up, as it is waited for between.
    var (events, waits) = (0, 0)
    for step in 0..<64 {
      let before = opencl_calls_of_this_thread()
      try executable.upload(
        HostTensor([100], [Float](repeating: Float(step), count: 100)), toInput: 0)
      try executable.step()
      let after = opencl_calls_of_this_thread()
      events += after.events - before.events
      waits += after.waits - before.waits
      #expect(after.allocations == before.allocations)
      try executable.synchronize()
    }
    #expect(waits == 0)
    // One for every half of the ring of 32 slots, by which the host sees how far the device is.
    #expect(events == 4)
  }
}
