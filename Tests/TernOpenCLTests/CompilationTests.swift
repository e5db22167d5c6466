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
  /// What a file has besides would be compiled with defines that were not meant for it.
  @Test(arguments: ["wide-cores", "many-threads"])
  func programsHaveTheKernelsThatAreLaunchedAndNoOthers(architecture: String) throws {
    let device = try open(DeviceOptions(), architecture)
    let experiment = try ConvolutionExperiment([2, 4, 6, 6], weight: [4, 4, 3, 3])
    _ = try experiment.run(on: device)
    let programs = ProgramSource.all(of: device.builds)
    #expect(!programs.isEmpty && Set(programs.map(\.file)).count == programs.count)
    #expect(Set(programs.flatMap(\.kernels)) == Set(device.builds))
    for program in programs {
      let starts = program.text.split(separator: "\n").filter { $0.hasPrefix("__kernel ") }
      #expect(starts.count == program.kernels.count)
      for kernel in program.kernels {
        #expect(starts.contains { $0.contains("void \(kernel.kernel)(") })
      }
    }
  }

  /// Functions of one file with other defines: what one part of a program declares meets no other.
  private func manyFunctions() throws -> (graph: Graph, inputs: [String: HostTensor]) {
    let builder = GraphBuilder()
    let generator = Philox(seed: 3, stream: .data)
    let x = try builder.input("x", [6, 5, 8])
    let results = try [
      x.relu(), x.gelu(), x.sigmoid(), x.tanh(), x.softmax(dim: 2), x.softmax(dim: 1),
      x.sum([0]), x.sum([1]), x.sum([2]), x.square(), x * x, x - x.relu(),
    ]
    for (index, y) in results.enumerated() {
      builder.output("y\(index)", y)
      let gradient = try #require(try builder.gradients(of: y.sum(), withRespectTo: [x])[0])
      builder.output("d\(index)", gradient)
    }
    let values = HostTensor([6, 5, 8], generator.normals(6 * 5 * 8, 0))
    return (builder.graph, ["x": values])
  }

  @Test(arguments: ["wide-cores", "many-threads"])
  func kernelsOfAFileShareAProgramWhateverTheirDefines(architecture: String) throws {
    let (graph, inputs) = try manyFunctions()
    let expected = try Session(device: ReferenceDevice()).compile(graph).run(inputs)
    let device = try open(DeviceOptions(), architecture)
    let session = Session(device: device)
    // Chains would have files of their own.
    session.fuses = false
    let got = try session.compile(graph).run(inputs)
    for (name, value) in expected {
      for (a, b) in zip(try #require(got[name]).floats, value.floats) {
        #expect(abs(a - b) <= 1e-5 * max(1, abs(b)), "\(name)")
      }
    }
    let unary = device.builds.filter { $0.file == "elementwise/unary" }
    #expect(Set(unary.map(\.defines)).count > 4)
    #expect(ProgramSource.all(of: unary).count == 1)
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
