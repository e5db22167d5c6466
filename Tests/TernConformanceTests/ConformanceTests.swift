import Foundation
import Tern
import TernConformance
import TernTestSupport
import Testing

/// What operations must compute: by PyTorch's numbers, by the reference, and by finite differences.
@Suite struct ConformanceTests {
  private static let casesDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Cases").path

  @Test(arguments: TestDevices.ids) func recordedCases(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device))
    let paths = try ConformanceCase.paths(inDirectory: Self.casesDirectory)
    #expect(paths.count >= 140)
    for path in paths {
      let result = runner.run(try ConformanceCase(contentsOf: path))
      #expect(
        result.status == .passed,
        "\(result.name): \(result.location ?? "") \(result.message ?? "")")
    }
  }

  @Test(arguments: TestDevices.ids) func builtInCases(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device))
    let reference = CaseRunner(device: try TestDevices.open("reference"))
    #expect(OpCase.all.count >= 600)
    #expect(Set(OpCase.all.map(\.name)).count == OpCase.all.count)
    for opCase in OpCase.all {
      let result = runner.run(try opCase.conformanceCase(reference: reference))
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

  /// No operation's result depends on timing: the same bits every time.
  @Test(arguments: TestDevices.ids) func repeatability(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device))
    let reference = CaseRunner(device: try TestDevices.open("reference"))
    var seen: [String: Int] = [:]
    for opCase in OpCase.all {
      // The first and the largest cases of each operation; all would take too long.
      seen[opCase.operation, default: 0] += 1
      let size = opCase.inputs.values.map(\.shape.elementCount).max() ?? 0
      guard seen[opCase.operation]! <= 2 || size > 10_000 else { continue }
      let testCase = try opCase.conformanceCase(reference: reference)
      let first = try runner.execute(testCase)
      for _ in 0..<3 { #expect(try runner.execute(testCase) == first, "\(opCase.name)") }
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
