import TernCore
import TernGraph
import TernOpenCL
import TernRuntime
import Testing

@Suite(.enabled(if: openCLDevice != nil)) struct ReplayTests {
  /// y = Σ inputs, so that an input that arrives late, or in the wrong step, is seen.
  private func executable(on device: OpenCLDevice) throws -> Executable {
    let builder = GraphBuilder()
    let total = try builder.variable("total", [5])
    let x = try builder.input("x", [5])
    let scale = try builder.input("scale", [])
    let sum = try total + x * scale
    builder.assign(total, sum)
    builder.output("sum", sum)
    return try Session(device: device).compile(builder.graph)
  }

  private func upload(_ step: Int, to executable: Executable) throws {
    try executable.upload(
      HostTensor([5], (0..<5).map { Float(step * $0) }), toInput: executable.inputIndex("x")!)
    try executable.upload(Float(2), toInput: "scale")
  }

  @Test func aStepAllocatesNothingAndWaitsForNothing() throws {
    let device = try open()
    let executable = try executable(on: device)
    for step in 0..<40 {
      try upload(step, to: executable)
      try executable.step()
    }
    try executable.synchronize()
    let (allocations, events, waits) = (
      device.allocationCount, device.eventCount, device.waitCount
    )
    for step in 40..<72 {
      try upload(step, to: executable)
      try executable.step()
      // The ring of staged inputs waits for a device that lags behind, as one does on busy cores.
      if step % 8 == 7 { try executable.synchronize() }
    }
    #expect(device.allocationCount == allocations)
    #expect(device.waitCount == waits + 4)
    // One for either half of the ring of staged inputs, none for the steps.
    #expect(device.eventCount <= events + 2)
  }

  /// Large inputs that go by a queue of their own, and a small one beside them.
  @Test func everyStepSeesItsOwnLargeInputs() throws {
    let builder = GraphBuilder()
    let count = 1 << 15
    let total = try builder.variable("total", [count])
    let x = try builder.input("x", [count])
    let y = try builder.input("y", [count])
    let sum = try total + (x + y * builder.input("scale", []))
    builder.assign(total, sum)
    builder.output("sum", sum)
    let device = try open(DeviceOptions(), "upload-queue")
    let executable = try Session(device: device).compile(builder.graph)
    let allocations = device.allocationCount
    let waits = device.waitCount
    for step in 0..<60 {
      for (name, value) in [("x", Float(step)), ("y", Float(2 * step))] {
        try executable.upload(
          HostTensor(repeating: value, [count]), toInput: executable.inputIndex(name)!)
      }
      try executable.upload(Float(step % 3), toInput: "scale")
      try executable.step()
    }
    #expect(device.allocationCount == allocations)
    // No more than for a half of the ring each.
    #expect(device.waitCount - waits <= 60)
    let expected = (0..<60).reduce(0) { $0 + $1 + 2 * $1 * ($1 % 3) }
    #expect(try executable.read("sum").floats.allSatisfy { $0 == Float(expected) })
  }

  // Recorded steps too, where the driver has command buffers.
  @Test(arguments: [false, true]) func everyStepSeesItsOwnInputs(isRecorded: Bool) throws {
    let executable = try executable(
      on: isRecorded ? open(DeviceOptions(), "recorded-steps") : open())
    // Far more than the ring has slots, without waiting.
    for step in 0..<200 {
      try upload(step, to: executable)
      try executable.step()
    }
    let expected = (0..<5).map { Float(2 * 199 * 200 / 2 * $0) }
    #expect(try executable.read("sum").floats == expected)
  }

  @Test func anInputKeepsItsValueUntilTheNextUpload() throws {
    let executable = try executable(on: open())
    try upload(1, to: executable)
    try executable.step()
    try executable.step()
    try executable.upload(Float(10), toInput: "scale")
    try executable.step()
    #expect(try executable.read("sum").floats == (0..<5).map { Float(14 * $0) })
  }
}
