import Foundation
import Tern
import TernConformance
import TernTestSupport
import Testing

/// What operations must compute: by PyTorch's numbers, by the reference, and by finite differences.
@Suite struct ConformanceTests {
  private static let casesDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Cases").path

  /// The built-in cases, computed by the reference: the others are held against them, and it is held
  /// against the recorded cases and finite differences.
  static let builtIn = Result {
    let reference = CaseRunner(device: try TestDevices.open("reference"))
    return try OpCase.all.map { try $0.conformanceCase(reference: reference) }
  }

  private static let measuredDevices = TestDevices.ids.filter { $0 != "reference" }

  @Test(arguments: TestDevices.ids) func recordedCases(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device))
    let paths = try ConformanceCase.paths(inDirectory: Self.casesDirectory)
    // As many as there are: one that is lost is missed, and a new one counted.
    #expect(paths.count == 164)
    for path in paths {
      let result = runner.run(try ConformanceCase(contentsOf: path))
      #expect(
        result.status == .passed,
        "\(result.name): \(result.location ?? "") \(result.message ?? "")")
    }
  }

  @Test(arguments: measuredDevices) func builtInCases(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device))
    // As many as there were when this was written: one that is lost is missed.
    #expect(OpCase.all.count >= 995)
    #expect(Set(OpCase.all.map(\.name)).count == OpCase.all.count)
    for testCase in try Self.builtIn.get() {
      let result = runner.run(testCase)
      #expect(
        result.status == .passed,
        "\(result.name): \(result.location ?? "") \(result.message ?? "")")
    }
  }

  /// The same taken apart: every operation that has a decomposition is replaced by it, and devices merge nothing.
  @Test(arguments: TestDevices.ids) func casesTakenApart(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device), takesApart: true)
    let recorded = try ConformanceCase.paths(inDirectory: Self.casesDirectory).map {
      try ConformanceCase(contentsOf: $0)
    }
    for testCase in recorded + (try Self.builtIn.get()) {
      let result = runner.run(testCase)
      #expect(
        result.status == .passed,
        "\(result.name): \(result.location ?? "") \(result.message ?? "")")
    }
  }

  @Test func everyOperationHasACase() {
    let covered = Set(OpCase.all.map(\.operation))
    for spec in OperationSpec.all where spec.name != "flatten" {
      #expect(covered.contains(spec.name), "no case for \(spec.name)")
    }
    for name in Optimizer.names {
      #expect(covered.contains("optimizer.\(name)"), "no case for the optimizer \(name)")
    }
  }

  /// What is drawn at random has no derivative.
  private static let noise: Set = ["randn", "bernoulli"]

  /// Every differentiable operation, against central differences in Double.
  @Test func gradients() throws {
    var checked = Self.noise
    for opCase in OpCase.all
    where !opCase.isExact && !opCase.operation.hasPrefix("optimizer.")
      && !Self.noise.contains(opCase.operation)
    {
      guard opCase.inputs.values.allSatisfy({ $0.shape.elementCount <= 2000 }) else { continue }
      let fault = try GradientCheck().firstFault(in: opCase)
      #expect(fault == nil)
      checked.insert(opCase.operation)
    }
    for spec in OperationSpec.all
    where !["flatten", "reshape", "permute", "transpose", "cat", "narrow"].contains(spec.name) {
      #expect(checked.contains(spec.name), "the gradient of \(spec.name) is not checked")
    }
  }

  /// No operation's result depends on timing: the same bits every time. The reference has no threads.
  @Test(arguments: measuredDevices) func repeatability(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device))
    var seen: [String: Int] = [:]
    for (opCase, testCase) in zip(OpCase.all, try Self.builtIn.get()) {
      // The first and the largest cases of each operation; all would take too long.
      seen[opCase.operation, default: 0] += 1
      let size = opCase.inputs.values.map(\.shape.elementCount).max() ?? 0
      guard seen[opCase.operation]! <= 2 || size > 10_000 else { continue }
      let results = try #require(try runner.execute(testCase, times: 4))
      for result in results.dropFirst() { #expect(result == results[0], "\(opCase.name)") }
    }
  }

  /// A case from outside whose cotangent is of another shape or type than the output.
  @Test func cotangentsOfAnotherShapeAreRefused() throws {
    let runner = CaseRunner(device: try TestDevices.open("cpu"))
    for cotangent in [HostTensor(repeating: 1, [3]), HostTensor([2], [Int32(1), 2])] {
      let result = runner.run(
        ConformanceCase(
          name: "wrong", operation: "relu", inputs: ["input": HostTensor(repeating: 1, [2])],
          outputs: ["output": HostTensor(repeating: 1, [2])], cotangents: ["output": cotangent],
          gradients: ["input": HostTensor(repeating: 1, [2])]))
      #expect(result.status == .error && result.message?.contains("cotangent.output") ?? false)
    }
  }
}
