import TernCore
import TernGraph
import TernReference
import TernRuntime
import Testing

@Suite struct ReferenceDeviceTests {
  private func sumOfTwo(_ rounding: ReferenceDevice.Rounding) throws -> Executable {
    let builder = GraphBuilder()
    let (a, b) = (try builder.input("a", [1]), try builder.input("b", [1]))
    builder.output("sum", try a + b)
    return try Session(device: ReferenceDevice(rounding: rounding)).compile(builder.graph)
  }

  @Test func resultsAreRoundedToFloatUnlessFullPrecisionIsAskedFor() throws {
    let inputs = ["a": [1.0], "b": [1e-12]]
    #expect(try sumOfTwo(.ofTypes).runInFullPrecision(inputs) == ["sum": [1]])
    #expect(try sumOfTwo(.none).runInFullPrecision(inputs) == ["sum": [1 + 1e-12]])
  }

  @Test func valueReadBeforeItWasWrittenIsNotANumber() throws {
    let executable = try sumOfTwo(.ofTypes)
    try executable.step()
    #expect(try executable.read("sum").floats[0].isNaN)
  }

  @Test func stepsAllocateNothing() throws {
    let device = ReferenceDevice()
    let builder = GraphBuilder()
    let x = try builder.input("x", [2, 3])
    builder.output("y", try x.softmax(dim: 1))
    let executable = try Session(device: device).compile(builder.graph)
    let count = device.allocationCount
    for _ in 0..<3 { _ = try executable.run(["x": HostTensor(repeating: 1, [2, 3])]) }
    #expect(device.allocationCount == count)
  }

  @Test func profileTimesEveryNode() throws {
    let executable = try sumOfTwo(.ofTypes)
    let seconds = try executable.profile()
    #expect(seconds.count == executable.plan.order.count)
    #expect(seconds.allSatisfy { $0 >= 0 && $0.isFinite } && seconds.reduce(0, +) > 0)
  }
}
