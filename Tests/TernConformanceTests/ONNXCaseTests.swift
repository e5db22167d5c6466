import Foundation
import TernConformance
import TernData
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

  /// A network beside its output; the input is 0, 1/6, 2/6 and so on.
  @Test func networksBesideTheirOutputsAreCases() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try FileManager.default.createDirectory(
      atPath: workspace.file("light"), withIntermediateDirectories: true)
    var file = ONNXFixture()
    file.node("Neg", ["x"], ["y"])
    file.value(11, "x", [2, 3])
    file.value(12, "y", [2, 3])
    try file.encoded().write(to: URL(fileURLWithPath: workspace.file("light/net.onnx")))
    for (sign, status) in [(-1, CaseResult.Status.passed), (1, .failed)] {
      var output = WireWriter()
      output.ints(1, [2, 3])
      output.int(2, 1)
      output.floats(4, (0..<6).map { Float(sign * $0) / 6 })
      try output.data.write(to: URL(fileURLWithPath: workspace.file("light/net_output_0.pb")))
      let cases = try ONNXCase.cases(in: workspace.path)
      #expect(cases.map(\.name) == ["net"])
      #expect(try cases[0].run(on: TestDevices.open("reference")).status == status)
    }
  }

  /// Numbers that no device holds are computed where constants are, and the line says so.
  @Test func numbersBeyondFloat32AreComputedOnTheHost() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let folder = workspace.file("big/test_data_set_0")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    func write(_ name: String, _ values: [Double]) throws {
      var tensor = WireWriter()
      tensor.ints(1, [2])
      tensor.int(2, 11)
      tensor.bytes(9, values.withUnsafeBytes { Data($0) })
      try tensor.data.write(to: URL(fileURLWithPath: "\(folder)/\(name).pb"))
    }
    try write("input_0", [1e200, 2])
    try write("output_0", [2e200, 4])
    func status(_ operatorName: String) throws -> (CaseResult.Status, String?) {
      var file = ONNXFixture()
      file.node(operatorName, operatorName == "Add" ? ["x", "x"] : ["x"], ["y"])
      for (field, name) in [(11, "x"), (12, "y")] { file.value(field, name, [2], type: 11) }
      try file.encoded().write(to: URL(fileURLWithPath: workspace.file("big/model.onnx")))
      let result = try ONNXCase.cases(in: workspace.path)[0].run(on: TestDevices.open("cpu"))
      return (result.status, result.message)
    }
    let sum = try status("Add")
    #expect(sum.0 == .passed && sum.1?.contains("without the device") == true, "\(sum)")
    let other = try status("Relu")
    #expect(other.0 == .unsupported && other.1?.contains("beyond float32") == true, "\(other)")
  }
}
