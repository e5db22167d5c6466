import Foundation
import TernConformance
import TernTestSupport
import Testing

/// Networks of ONNX against what onnxruntime computes of them; `Tests/format_cases.py` wrote the cases.
@Suite struct ONNXCaseTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("FormatCases/onnx").path

  @Test(arguments: TestDevices.ids) func networksAgree(device: String) throws {
    let device = try TestDevices.open(device)
    let cases = try ONNXCase.cases(in: Self.folder)
    #expect(cases.map(\.name) == ["attention", "cnn", "lstm"])
    for testCase in cases {
      let result = testCase.run(on: device)
      #expect(
        result.status == .passed, "\(result.name): \(result.location ?? "") \(result.message ?? "")"
      )
    }
  }
}
