import ArgumentParser
import Foundation
import Tern
import TernConformance

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check that a device computes correctly.",
    discussion: """
      Example:
        tern verify --device opencl --cases cases/
      """)

  @Option(help: "The device: auto, reference, cpu, opencl[:P[.D]].")
  var device = "auto"

  @Option(help: "A folder of .safetensors cases, or one such file.")
  var cases: String

  @Option(help: "Only cases of this operation.")
  var op: String?

  @Flag(help: "Print JSON lines.")
  var json = false

  func run() throws {
    let runner = CaseRunner(device: try DeviceCatalog.standard.open(device))
    var counts: [CaseResult.Status: Int] = [:]
    for path in try ConformanceCase.paths(inDirectory: cases) {
      let testCase = try ConformanceCase(contentsOf: path)
      if let op, testCase.operation != op { continue }
      let result = runner.run(testCase)
      counts[result.status, default: 0] += 1
      report(result, device: runner.device.info.id)
    }
    let total = counts.values.reduce(0, +)
    guard total > 0 else { throw TernError(.usage, "no case matches") }
    let (passed, failed) = (counts[.passed] ?? 0, counts[.failed] ?? 0)
    let (unsupported, errors) = (counts[.unsupported] ?? 0, counts[.error] ?? 0)
    print(
      json
        ? JSON.object([
          "passed": .int(passed), "failed": .int(failed), "unsupported": .int(unsupported),
          "errors": .int(errors),
        ]).description
        : "\(passed) passed, \(failed) failed, \(unsupported) unsupported, \(errors) errors on "
          + "\(runner.device.info.id) (\(runner.device.info.name))")
    if failed + errors > 0 { throw ExitCode(1) }
  }

  private func report(_ result: CaseResult, device: String) {
    if json {
      print(
        JSON.object([
          "case": .string(result.name), "op": .string(result.operation), "device": .string(device),
          "status": .string(result.status.rawValue),
          "max_abs_error": .double(result.maximumAbsoluteError),
          "max_rel_error": .double(result.maximumRelativeError),
          "where": result.location.map(JSON.string) ?? .null,
          "message": result.message.map(JSON.string) ?? .null,
        ]))
    } else {
      let detail = [result.location, result.message].compactMap(\.self).joined(separator: ": ")
      print("\(result.status.rawValue)  \(result.name)" + (detail.isEmpty ? "" : "  \(detail)"))
    }
  }
}
