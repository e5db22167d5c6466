import Foundation
import Tern
import TernConformance
import TernTestSupport
import Testing

/// The most extreme numbers that float32 has, by PyTorch's results in float64: `Tests/extreme_cases.py`
/// draws them up and states the error bounds.
@Suite struct ExtremeValueTests {
  private static let directory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("ExtremeCases")
    .path

  @Test(arguments: TestDevices.ids) func infiniteTinyAndNoNumbers(device: String) throws {
    let runner = CaseRunner(device: try TestDevices.open(device))
    var operations: Set<String> = []
    for path in try ConformanceCase.paths(inDirectory: Self.directory) {
      let testCase = try ConformanceCase(contentsOf: path)
      operations.insert(testCase.operation)
      let results = try #require(try runner.execute(testCase))
      let expected =
        testCase.outputs.map { ("output.\($0)", $1) }
        + testCase.gradients.map { ("gradient.\($0)", $1) }
      for (name, tensor) in expected.sorted(by: { $0.0 < $1.0 }) {
        let faults = Self.faults(of: results[name], expected: tensor, testCase)
        #expect(faults.isEmpty, "\(testCase.name) \(name): \(faults.joined(separator: "; "))")
      }
    }
    // Whatever is computed element by element, is a loss, normalises, or updates parameters.
    let linear: Set = ["kl_div", "contrastive_loss", "nll_loss"]
    for spec in OperationSpec.all where spec.name.hasSuffix("_loss") && !linear.contains(spec.name)
    {
      #expect(operations.contains(spec.name), "no extreme case for \(spec.name)")
    }
    for name in Optimizer.names where name != "momentum_ema" {
      #expect(operations.contains("optimizer.\(name)"), "no extreme case for \(name)")
    }
  }

  /// The elements that are neither what is expected nor, where that is finite, within the bounds of it.
  private static func faults(
    of result: HostTensor?, expected: HostTensor, _ testCase: ConformanceCase
  ) -> [String] {
    guard let got = result?.doubles, got.count == expected.doubles.count else {
      return ["nothing of the expected shape"]
    }
    let input = testCase.inputs["input"] ?? testCase.inputs["gradient.0"]
    let arguments = input.map(\.doubles) ?? []
    var faults: [String] = []
    for (index, (value, target)) in zip(got, expected.doubles).enumerated() {
      if value == target || (value.isNaN && target.isNaN) { continue }
      let bound = testCase.absoluteTolerance + testCase.relativeTolerance * abs(target)
      // Written so that NaN and infinity fail.
      if target.isFinite, abs(value - target) <= bound { continue }
      let argument = index < arguments.count ? " at \(arguments[index])" : ""
      faults.append("[\(index)]\(argument) \(value), not \(target)")
    }
    return Array(faults.prefix(6))
  }
}
