import ArgumentParser
import Foundation
import Tern
import TernBenchmark
import TernConformance

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check that a device computes correctly.",
    discussion: """
      Runs the built-in cases against the reference backend, or the cases of a folder, or random networks:
      those against the reference in double precision, differences of the loss, memory of its own for every
      value, and values computed again. A network that is not computed right is shown with as few
      operations as do it.

      Examples:
        tern verify --device opencl
        tern verify --device opencl --cases cases/ --op conv2d
        tern verify --device opencl --random 500
        tern verify --onnx /usr/share/libonnx-testdata/data/node
      """)

  @OptionGroup var device: DeviceArguments

  @Option(help: ArgumentHelp("A folder of .safetensors cases, or one such file.", valueName: "DIR"))
  var cases: String?

  @Option(
    help: ArgumentHelp(
      "A folder of ONNX's backend tests: model.onnx, test_data_set_*/input_*.pb, output_*.pb.",
      valueName: "DIR"))
  var onnx: String?

  @Option(help: "Only cases of this operation, or one built-in case: matmul/odd.")
  var op: String?

  @Option(help: ArgumentHelp("So many random networks instead.", valueName: "N"))
  var random: Int?

  @Option(help: "The seed of the first random network; the others have those after it.")
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp(
      "Write which OpenCL kernels were built, with what options, as JSON.", valueName: "FILE"))
  var kernels: String?

  @Flag(help: "Print JSON lines.")
  var json = false

  @Flag(help: "Print how each operation runs on each device, instead.")
  var coverage = false

  func run() throws {
    let catalog = DeviceCatalog.standard
    if coverage {
      let devices = try catalog.backends.compactMap { backend in
        try backend.devices().first.map { try backend.open($0, options: DeviceOptions()) }
      }
      Output.result(try Coverage(devices: devices).markdown())
      return
    }
    if let random { return try verify(random) }
    let runner = CaseRunner(
      device: try device.openAtAnySpeed(), algorithm: device.algorithm?.algorithm)
    var counts: [CaseResult.Status: Int] = [:]
    func count(_ result: CaseResult) {
      counts[result.status, default: 0] += 1
      report(result, device: runner.device.info.id)
    }
    if let onnx {
      guard cases == nil else { throw TernError(.usage, "give --cases or --onnx, not both") }
      for testCase in try ONNXCase.cases(in: onnx) where op == nil || op == testCase.name {
        count(testCase.run(on: runner.device))
      }
    } else if let cases {
      for path in try ConformanceCase.paths(inDirectory: cases) {
        let testCase = try ConformanceCase(contentsOf: path)
        if op == nil || op == testCase.operation { count(runner.run(testCase)) }
      }
    } else {
      let reference = CaseRunner(device: try catalog.open("reference"))
      for opCase in OpCase.all where op == nil || op == opCase.operation || op == opCase.name {
        count(runner.run(try opCase.conformanceCase(reference: reference)))
      }
    }
    let total = counts.values.reduce(0, +)
    guard total > 0 else { throw TernError(.usage, "no case of operation '\(op ?? "")'") }
    let (passed, failed) = (counts[.passed] ?? 0, counts[.failed] ?? 0)
    let (unsupported, errors) = (counts[.unsupported] ?? 0, counts[.error] ?? 0)
    Output.result(
      json
        ? JSON.object([
          "passed": .int(passed), "failed": .int(failed), "unsupported": .int(unsupported),
          "errors": .int(errors),
        ]).description
        : "\(passed) passed, \(failed) failed, \(unsupported) unsupported, \(errors) errors on "
          + "\(runner.device.info.id) (\(runner.device.info.name))")
    if let kernels { try writeKernels(of: runner.device, to: kernels) }
    if failed + errors > 0 { throw ExitCode(1) }
  }

  private func verify(_ count: Int) throws {
    guard (1...1_000_000).contains(count), seed <= UInt64(Int.max) else {
      throw TernError(.usage, "random: expected 1 to 1000000 networks, got \(count)")
    }
    let check = RandomNetworkCheck(device: try device.openAtAnySpeed())
    var faultCount = 0
    for number in seed..<seed + UInt64(count) {
      guard let fault = check.fault(seed: number) else { continue }
      faultCount += 1
      Output.result(
        json
          ? JSON.object([
            "seed": .int(Int(number)), "message": .string(fault.message),
            "network": .string(fault.network.description),
          ]).description : "failed  \(fault)")
    }
    let passed = count - faultCount
    Output.result(
      json
        ? JSON.object(["passed": .int(passed), "failed": .int(faultCount)]).description
        : "\(passed) passed, \(faultCount) failed, random networks on \(check.device.info.id) "
          + "(\(check.device.info.name))")
    if faultCount > 0 { throw ExitCode(1) }
  }

  private func writeKernels(of device: any Device, to path: String) throws {
    guard let builds = KernelBuilds(device) else {
      throw TernError(.usage, "kernels: \(device.info.id) has no OpenCL kernels")
    }
    try AtomicFile.write(Data((builds.json.description + "\n").utf8), to: path)
  }

  private func report(_ result: CaseResult, device: String) {
    if json {
      Output.result(
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
      Output.result(
        ("\(result.status.rawValue)  \(result.name)" + (detail.isEmpty ? "" : "  \(detail)"))
          .visible)
    }
  }
}
