import Foundation
import TernCore
import TernTestSupport
import Testing

/// `tern bench` as scripts see it. No test says how fast anything is.
@Suite(.serialized) struct BenchTests {
  private static let suite = """
    {"name": "tiny", "cases": [
      {"op": "conv2d", "batch": 2, "in_channels": 3, "height": 8, "width": 8, "out_channels": 4,
       "kernel_size": [3, 3], "padding": [1, 1]},
      {"op": "matmul", "m": 8, "n": 8, "k": 8}, {"op": "relu", "input": [64]}
    ]}
    """

  private func bench(
    _ arguments: [String], in workspace: Workspace, device: String = "cpu"
  ) throws -> Command.Result {
    try Command.run(
      ["bench"] + arguments + ["--device", device, "--threads", "1"], in: workspace.path)
  }

  @Test(arguments: TestDevices.fast) func kernelsAsJSON(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("tiny.json", Self.suite)
    let result = try bench(
      ["--suite", "tiny.json", "--iterations", "5", "--json"], in: workspace, device: device)
    #expect(result.status == 0, "\(result.errors)")
    let json = try JSON(parsing: result.output)
    let context = try #require(json["context"])
    #expect(context["device"]?.stringValue?.hasPrefix(device.prefix { $0 != "/" }) == true)
    #expect(context["driver"]?.stringValue?.isEmpty == false)
    #expect(context["date"]?.stringValue?.isEmpty == false)
    #expect(context["version"]?.stringValue?.isEmpty == false)
    let peak = try #require(context["peak"])
    #expect(peak["gflops"]?.doubleValue ?? 0 > 0)
    #expect(peak["gbs"]?.doubleValue ?? 0 > 0)
    #expect(peak["source"]?.stringValue == "measured")
    guard case .array(let results)? = json["results"] else {
      Issue.record("no results: \(result.output)")
      return
    }
    #expect(
      results.map { "\($0["op"]?.stringValue ?? "") \($0["pass"]?.stringValue ?? "")" } == [
        "conv2d forward", "conv2d backward_data", "conv2d backward_weights", "matmul forward",
        "matmul backward_data", "matmul backward_weights", "relu forward", "relu backward_data",
      ])
    for entry in results {
      #expect(entry["status"]?.stringValue == "passed")
      #expect(entry["dtype"]?.stringValue == "float32")
      for key in ["name", "shape", "implementation"] { #expect(entry[key]?.stringValue != nil) }
      #expect(entry["max_rel_error"]?.doubleValue ?? 1 <= 1e-4)
      for key in ["min", "median", "p95"] {
        #expect(entry["time_ns"]?[key]?.doubleValue ?? 0 > 0)
      }
      for key in ["iterations", "flops", "bytes"] { #expect(entry[key]?.intValue ?? 0 > 0) }
      for key in ["gflops", "gbs", "percent_of_roof"] {
        #expect(entry[key]?.doubleValue ?? 0 > 0)
      }
      #expect(["compute", "memory", "launch"].contains(entry["bound"]?.stringValue))
    }
  }

  /// The base is edited, so that the outcome does not depend on how fast the machine is.
  @Test func aRegressionIsExitCode4() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("tiny.json", Self.suite)
    let arguments = ["gemm", "--suite", "tiny.json", "--iterations", "3"]
    let recorded = try bench(arguments + ["--json"], in: workspace)
    #expect(recorded.status == 0, "\(recorded.errors)")
    func base(median: String, device: String? = nil) throws -> String {
      var text = recorded.output.replacing(
        /"median":[0-9.e+-]+/, with: "\"median\":\(median)")
      if let device {
        text = text.replacing("\"device\":\"cpu\"", with: "\"device\":\"\(device)\"")
      }
      try workspace.write("base.json", text)
      return "base.json"
    }
    let slower = try bench(
      arguments + ["--compare", base(median: "0.001"), "--threshold", "10%"], in: workspace)
    #expect(slower.status == 4)
    #expect(slower.output.contains("slower: matmul [8, 8] x [8, 8] forward"))
    #expect(slower.output.contains("3 compared, 3 slower by more than 10.0 %, 0 not in the base"))
    let faster = try bench(
      arguments + ["--compare", base(median: "1e15")], in: workspace)
    #expect(faster.status == 0)
    #expect(faster.output.contains("3 compared, 0 slower"))
    let other = try bench(
      arguments + ["--compare", base(median: "1", device: "opencl:0.0")], in: workspace)
    #expect(other.status == 65)
    #expect(other.errors.contains("recorded on another device"))
  }

  @Test func modelsAreProfiledAndCompared() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let arguments = ["model", "mlp", "lenet5", "--batch-size", "2", "--seconds", "0.05"]
    let result = try bench(
      arguments + ["--json", "--profile", "trace.json"], in: workspace)
    #expect(result.status == 0, "\(result.errors)")
    let json = try JSON(parsing: result.output)
    guard case .array(let results)? = json["results"] else {
      Issue.record("no results: \(result.output)")
      return
    }
    #expect(results.map { $0["name"]?.stringValue } == ["mlp", "lenet5"])
    for entry in results {
      #expect(entry["images_per_second"]?.doubleValue ?? 0 > 0)
      #expect(entry["step_ms"]?["median"]?.doubleValue ?? 0 > 0)
      #expect(entry["host_overhead_us"]?.doubleValue ?? -1 >= 0)
    }
    let trace = try JSON(
      parsing: String(decoding: workspace.bytes("trace.json") ?? Data(), as: UTF8.self))
    guard case .array(let events) = trace, let first = events.first else {
      Issue.record("no trace")
      return
    }
    #expect(first["ph"]?.stringValue == "X")
    #expect(events.allSatisfy { $0["args"]?["percent_of_roof"] != nil })

    try workspace.write(
      "base.json", result.output.replacing(/"median":[0-9.e+-]+/, with: "\"median\":1e-9"))
    let slower = try bench(arguments + ["--compare", "base.json", "--verbose"], in: workspace)
    #expect(slower.status == 4)
    #expect(slower.output.contains("slower: lenet5 at batch size 2"))
    #expect(slower.output.contains("% of the roofline"))
  }

  @Test(arguments: [
    (["--suite", "nosuch"], Int32(66), "nosuch: neither a file nor one of the suites"),
    (["--suite", "bad.json"], 65, "bad.json: not JSON"),
    (["gemm", "--threshold", "much"], 64, "threshold: expected a share such as 10%"),
    (["gemm", "--compare", "nosuch.json"], 66, "nosuch.json: no such file"),
    (["gemm", "--iterations", "0"], 64, "iterations: expected 1 to 1000000, got 0"),
    (["gemm", "--suite", "lenet5", "--filter", "zzz"], 64, "no case of lenet5 is left"),
  ])
  func mistakesAreOneLine(arguments: [String], status: Int32, message: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("bad.json", "{")
    let result = try bench(arguments, in: workspace)
    #expect(result.status == status)
    #expect(result.errors.contains("tern: error: \(message)"))
    #expect(result.errors.split(separator: "\n").count == 1)
  }
}
