import Synchronization
import TernConformance
import TernCore
import TernGraph
import TernOpenCL
import TernReference
import TernRuntime
import Testing

/// What is compiled, and who is told.
@Suite(.enabled(if: openCLDevice != nil)) struct CompilationTests {
  @Test func aProgramHasTheKernelThatIsLaunchedAndNoOther() throws {
    let device = try open()
    let experiment = try ConvolutionExperiment([2, 4, 6, 6], weight: [4, 4, 3, 3])
    _ = try experiment.run(on: device)
    #expect(!device.builds.isEmpty)
    for build in device.builds {
      let source = ProgramCache.source(build.file, kernel: build.kernel)
      let kernels = source.split(separator: "\n").filter { $0.hasPrefix("__kernel ") }
      #expect(kernels.count == 1 && kernels[0].contains("void \(build.kernel)("))
    }
  }

  @Test(arguments: ["wide-cores", "many-threads"])
  func everyKernelIsCompiledOnceAndToldOf(architecture: String) throws {
    let device = try open(DeviceOptions(), architecture)
    let experiment = try ConvolutionExperiment([2, 4, 6, 6], weight: [4, 4, 3, 3])
    let told = Mutex<[(Int, Int)]>([])
    let tell: @Sendable (Int, Int) -> Void = { done, count in
      told.withLock { $0.append((done, count)) }
    }
    try CompilationProgress.reporting(tell) {
      _ = try Session(device: device).compile(experiment.graph)
    }
    let reports = told.withLock { $0 }
    let count = try #require(reports.first).1
    #expect(reports.allSatisfy { $0.1 == count })
    #expect(reports.map(\.0).sorted() == Array(0...count))
    #expect(device.builds.count >= count)
    // All are there the second time.
    let complain: @Sendable (Int, Int) -> Void = { _, _ in Issue.record("compiled again") }
    try CompilationProgress.reporting(complain) {
      _ = try Session(device: device).compile(experiment.graph)
    }
  }

  /// What a plan launches is told without compiling, and is what is then launched.
  @Test(arguments: ["wide-cores", "many-threads"])
  func aPlanIsDescribedWithoutCompiling(architecture: String) throws {
    let device = try open(DeviceOptions(), architecture, "compute-units=108")
    #expect(device.info.computeUnits == 108)
    let experiment = try ConvolutionExperiment([2, 4, 6, 6], weight: [4, 4, 3, 3])
    let session = Session(device: device)
    let nodes = try device.describe(session.plan(experiment.graph))
    #expect(device.builds.isEmpty)
    let executable = try session.compile(experiment.graph)
    #expect(nodes.map(\.implementation) == executable.bound.implementations)
    #expect(nodes.reduce(0) { $0 + $1.launches.count } == executable.launchCount)
    #expect(nodes.flatMap(\.launches).allSatisfy { !$0.name.isEmpty })
  }

  /// Defines of one kernel exploded the others of its file: `gemm_thin`'s stripes unrolled `gemm_rows`.
  @Test func aThinProductCompilesWithinSeconds() throws {
    let runner = CaseRunner(device: try open())
    let reference = CaseRunner(device: ReferenceDevice())
    let opCase = try #require(OpCase.all.first { $0.name == "matmul/thin" })
    let result = runner.run(try opCase.conformanceCase(reference: reference))
    #expect(result.status == .passed, "\(result.message ?? "")")
  }
}
