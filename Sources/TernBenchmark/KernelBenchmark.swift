import Tern
import TernConformance

/// Measures single operations on a device, each checked before it is timed.
package struct KernelBenchmark {
  package let device: any Device
  /// The best the device reaches, measured when this was made, and whenever asked for since.
  package private(set) var peaks: PeakSeries
  /// What results are held against.
  package var peak: DevicePeak { peaks.best }
  /// The time a step of one trivial node takes, in seconds.
  package let launchSeconds: Double
  /// How long each pass is measured, in seconds.
  package var seconds = Self.standardSeconds
  /// How often each pass is run, in place of ``seconds``.
  package var iterations: Int?

  /// Enough for a median of a hundred short runs; a suite of a hundred passes then ends within a
  /// minute, compiling aside.
  package static let standardSeconds = 0.25

  /// - Parameter peak: what results are held against, in place of what is measured.
  package init(device: any Device, peak: DevicePeak? = nil) throws {
    self.device = device
    peaks = try peak.map { PeakSeries($0, isGiven: true) } ?? PeakSeries(device.measurePeak())
    let builder = GraphBuilder()
    builder.output("y", try builder.variable("x", [1]).relu())
    let executable = try Session(device: device).compile(builder.graph)
    launchSeconds = try StepTimer(seconds: 0.05).measure(executable).median
  }

  /// The same measurements on another device of the same hardware, such as one that was told which
  /// algorithm to take.
  package init(_ other: KernelBenchmark, on device: any Device) {
    self.device = device
    peaks = other.peaks
    launchSeconds = other.launchSeconds
    seconds = other.seconds
    iterations = other.iterations
  }

  /// Measures the peak once more: another program may have had the machine before.
  package mutating func measurePeak() throws {
    if !peaks.isGiven { peaks.append(try device.measurePeak()) }
  }

  /// Checks and times one pass of a case; a failure of any kind becomes the result's status.
  package func run(_ testCase: BenchmarkCase, _ pass: BenchmarkPass) -> KernelResult {
    var (result, executable) = prepare(testCase, pass)
    if let executable {
      do {
        record(try timer.measure(executable, isWarm: true), in: &result)
      } catch {
        fail(&result, error)
      }
    }
    return result
  }

  private var timer: StepTimer { StepTimer(seconds: seconds, iterations: iterations) }

  /// Runs a pass here and elsewhere by turns, so that both see the machine in the same state.
  package func run(
    _ testCase: BenchmarkCase, _ pass: BenchmarkPass, alternatingWith other: KernelBenchmark
  ) -> (KernelResult, KernelResult?) {
    var (own, ownExecutable) = prepare(testCase, pass)
    var (others, otherExecutable) = other.prepare(testCase, pass)
    if let ownExecutable, let otherExecutable {
      do {
        let timings = try timer.measure(ownExecutable, alternatingWith: otherExecutable)
        record(timings.0, in: &own)
        record(timings.1, in: &others)
      } catch {
        fail(&own, error)
      }
    }
    return (own, others)
  }

  /// What the reference device is benchmarked on at most.
  private static let referenceByteCount = 128 << 20

  /// Compiles a pass and checks what it computes; without an executable where that failed.
  private func prepare(
    _ testCase: BenchmarkCase, _ pass: BenchmarkPass
  ) -> (KernelResult, Executable?) {
    var result = KernelResult(testCase, pass)
    do {
      let kernel = try KernelGraph(testCase, pass, on: device)
      result.cost = kernel.cost
      result.dataType = kernel.storedType
      guard device.info.id != "reference" || kernel.cost.bytes <= Self.referenceByteCount else {
        throw TernError(
          .runtime,
          "the reference computes number by number, in Double: \(kernel.cost.bytes) bytes are too "
            + "many")
      }
      let inputs = BenchmarkData.tensors(of: kernel, testCase.opCase)
      let saved = try kernel.preparation.map { try compute($0, inputs, testCase) } ?? [:]

      let session = Session(device: device)
      let executable = try session.compile(kernel.graph)
      let values = inputs.merging(saved) { own, _ in own }
      try load(
        kernel.stored(values), into: session, executable, testCase)
      result.workingSetByteCount = executable.plan.peakByteCount
      result.implementation = Self.implementation(of: executable)
      try executable.step()
      var results: [String: HostTensor] = [:]
      for (name, _) in executable.plan.graph.outputs { results[name] = try executable.read(name) }
      if testCase.operation.hasPrefix("optimizer.") {
        results["output.parameter"] = try session.read("parameter")
      }
      let verification = try KernelVerification(
        testCase, pass, kernel, inputs: inputs, results: results, precision: device.precision)
      result.maximumRelativeError = verification.maximumRelativeError
      guard verification.fault == nil else {
        result.status = .failed
        result.message = verification.fault
        return (result, nil)
      }
      return (result, executable)
    } catch {
      fail(&result, error)
      return (result, nil)
    }
  }

  private func record(_ timing: StepTimer.Timing, in result: inout KernelResult) {
    result.timing = timing
    result.judge(
      peak: peak, launchSeconds: launchSeconds, cacheByteCount: device.info.cacheByteCount)
  }

  private func fail(_ result: inout KernelResult, _ error: any Error) {
    result.status = .error
    result.message = "\(error)"
  }

  /// Runs a forward pass and returns what the backward pass reads of it.
  private func compute(
    _ graph: Graph, _ inputs: [String: HostTensor], _ testCase: BenchmarkCase
  ) throws -> [String: HostTensor] {
    let session = Session(device: device)
    let executable = try session.compile(graph)
    try load(inputs, into: session, executable, testCase)
    try executable.step()
    return try Dictionary(
      uniqueKeysWithValues: graph.outputs.map { ($0.name, try executable.read($0.name)) })
  }

  private func load(
    _ tensors: [String: HostTensor], into session: Session, _ executable: Executable,
    _ testCase: BenchmarkCase
  ) throws {
    for name in session.variableNames {
      if let tensor = tensors[name] { try session.write([name: tensor]) }
    }
    for (name, tensor) in tensors {
      if let index = executable.inputIndex(name) { try executable.upload(tensor, toInput: index) }
    }
    var attributes = Attributes(testCase.operation, testCase.opCase.attributes)
    let rate = Float(try attributes.double("lr", default: 0))
    try executable.uploadIfRead(rate, toInput: Optimizer.learningRateInput)
    try executable.uploadIfRead(Int32(1), toInput: Optimizer.stepInput)
  }

  /// What ran, each once, in order; nodes that only reorder memory aside.
  private static func implementation(of executable: Executable) -> String {
    let graph = executable.plan.graph
    var names: [String] = []
    for (index, name) in zip(executable.plan.order, executable.bound.implementations)
    where !(graph.nodes[index].operation is Operations.Reorder) && !name.isEmpty
      && !names.contains(name)
    {
      names.append(name)
    }
    return names.joined(separator: " + ")
  }
}
