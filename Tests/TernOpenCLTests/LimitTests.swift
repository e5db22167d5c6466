import TernBenchmark
import TernConformance
import TernCore
import TernOpenCL
import TernReference
import TernRuntime
import Testing

/// Devices that have less room than those at hand: every launch asks for what there is.
@Suite(.enabled(if: openCLDevice != nil)) struct LimitTests {
  /// Cases whose work-items meet, or that are cut into tiles.
  private static let operations: Set = [
    "softmax", "log_softmax", "batch_norm", "layer_norm", "cross_entropy", "nll_loss", "sum",
    "amax",
    "embedding", "permute", "matmul", "linear", "conv2d", "scaled_dot_product_attention",
    "max_pool2d", "optimizer.adam",
  ]

  private static let devices = [
    ["work-group=8"], ["many-threads", "work-group=8"], ["many-threads", "work-group=64"],
    ["many-threads", "kernel-work-group=16"],
  ]

  @Test(arguments: devices) func smallWorkGroupsComputeTheSame(traits: [String]) throws {
    let runner = CaseRunner(device: try open(DeviceOptions(), traits))
    let reference = CaseRunner(device: ReferenceDevice())
    var counts: [String: Int] = [:]
    for opCase in OpCase.all where Self.operations.contains(opCase.operation) {
      // A few of each; `tern verify` runs all.
      counts[opCase.operation, default: 0] += 1
      guard counts[opCase.operation]! <= 2 else { continue }
      let result = runner.run(try opCase.conformanceCase(reference: reference))
      #expect(
        result.status == .passed, "\(result.name): \(result.location ?? "") \(result.message ?? "")"
      )
    }
    #expect(Set(counts.keys) == Self.operations)
  }

  @Test func aDeviceWithoutRoomForAnyKernelIsRefusedByTheLimitsName() {
    #expect {
      try open(DeviceOptions(), ["work-group=1"])
    } throws: { error in
      let error = error as? TernError
      return error?.kind == .deviceUnavailable
        && error?.message.contains("CL_DEVICE_MAX_WORK_GROUP_SIZE") == true
        && error?.message.contains("\n") == false
    }
  }

  /// The limit of a kernel is known when it is compiled; the plan is made anew then.
  @Test func anImplementationWithoutRoomGivesWayToAnother() throws {
    let experiment = try ConvolutionExperiment(
      [2, 40, 9, 9], weight: [40, 40, 5, 5], padding: [2, 2])
    let options = DeviceOptions(algorithm: .implicitGEMM)
    let wanted = try experiment.implementations(on: open(options, ["many-threads"]))
    #expect(wanted.contains { $0.hasPrefix("implicit-gemm") })
    let device = try open(options, ["many-threads", "kernel-work-group=32"])
    #expect(
      try !experiment.implementations(on: device).contains { $0.hasPrefix("implicit-gemm") })
    #expect(try experiment.error(on: device) <= 2e-5)
  }

  @Test func theTunerGoesOnPastWhatDoesNotFit() throws {
    let device = try open(DeviceOptions(), ["many-threads", "kernel-work-group=32"])
    var tuner = try Tuner(device, measuresPeak: false)
    let experiment = try ConvolutionExperiment([2, 16, 9, 9], weight: [16, 16, 3, 3])
    let problems = try tuner.problems(in: [experiment.graph])
    #expect(problems.count == 3)
    for problem in problems {
      // Time enough on any machine: which candidates are tried must not depend on it.
      var budget = TuningBudget(seconds: 1e6)
      budget.start(problemsLeft: 1)
      let finding = try tuner.tune(problem, within: &budget)
      #expect(finding.candidates.first?.seconds != nil)
      let failed = finding.candidates.filter { $0.seconds == nil }
      #expect(failed.contains { $0.name.hasPrefix("implicit-gemm") && $0.fault != nil })
    }
  }

  @Test func aBufferBeyondTheLimitIsRefusedInALine() throws {
    let device = try open(DeviceOptions(), ["allocation=65536"])
    #expect(device.maximumAllocationByteCount == 65536)
    #expect(throws: TernError.self) { try device.allocate(byteCount: 65540) }
    // Plans cut what they keep into such buffers, where no tensor and no workspace alone is larger.
    let experiment = try ConvolutionExperiment([2, 8, 14, 14], weight: [8, 8, 3, 3])
    #expect(try experiment.error(on: device) <= 1e-4)
  }

  /// NVIDIA answers "out of resources" to an illegal address and to a lost device too.
  @Test func anErrorOfManyCausesIsNotSaidToBeMemoryAlone() {
    let message = CLError(call: "clFinish", code: -5).asTernError.message
    for cause in ["clFinish", "(-5)", "out of memory", "outside its memory", "too long", "lost"] {
      #expect(message.contains(cause))
    }
    #expect(!message.contains("\n"))
    #expect(CLError(call: "clCreateBuffer", code: -4).asTernError.message.contains("out of memory"))
  }
}
