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

  /// - Parameter measures: whether the device's peak is measured, which takes seconds.
  private func bench(
    _ arguments: [String], in workspace: Workspace, device: String = "cpu", measures: Bool = false
  ) throws -> Command.Result {
    let peak = measures || arguments.first == "model" ? [] : ["--peak", "50,10"]
    return try Command.run(
      ["bench"] + arguments + peak + ["--device", device, "--threads", "1"], in: workspace.path)
  }

  @Test(arguments: TestDevices.fast) func kernelsAsJSON(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("tiny.json", Self.suite)
    let result = try bench(
      ["--suite", "tiny.json", "--iterations", "5", "--json"], in: workspace, device: device,
      measures: device != TestDevices.openCL.last)
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
    if device == TestDevices.openCL.last {
      #expect(peak["source"]?.stringValue == "given")
      #expect(peak["gflops"]?.doubleValue == 50 && peak["gbs"]?.doubleValue == 10)
    } else {
      #expect(peak["source"]?.stringValue == "measured")
      #expect(peak["measurements"]?.intValue ?? 0 >= 2)
    }
    #expect(context["threads"] == (device == "cpu" ? .int(1) : .null))
    #expect(context["samples"]?["iterations"]?.intValue == 5)
    #expect(context["commit"] != nil)
    #expect(json["complete"] == .bool(true))
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
      // A few kilobytes: no roof of memory is claimed.
      #expect(entry["from_cache"] == .bool(true))
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

  /// What decides how fast something runs must be the same, and that is found out before anything is
  /// measured.
  @Test(arguments: [
    ("\"threads\":1", "\"threads\":7", "recorded on another threads: threads 7, now 1"),
    ("\"driver\":\"", "\"driver\":\"other ", "recorded on another driver: driver 'other "),
    ("\"precision\":\"fp32\"", "\"precision\":\"bf16\"", "recorded on another precision"),
    ("\"algorithm\":null", "\"algorithm\":\"direct\"", "algorithm 'direct', now not given"),
    ("\"op\":\"matmul\"", "\"op\":\"relu\"", "has none of what is to be measured"),
    ("\"context\"", "\"contexts\"", "not a result of 'tern bench --json'"),
  ])
  func aBaseOfAnotherContextIsRefusedAtOnce(part: String, other: String, message: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let recorded = try bench(
      ["gemm", "8", "--iterations", "3", "--pass", "forward", "--json"], in: workspace)
    #expect(recorded.status == 0, "\(recorded.errors)")
    #expect(recorded.output.contains(part))
    try workspace.write("base.json", recorded.output.replacing(part, with: other))
    let refused = try bench(
      ["gemm", "8", "--pass", "forward", "--compare", "base.json"], in: workspace)
    #expect(refused.status == 65)
    #expect(refused.output.isEmpty)
    #expect(refused.errors.hasPrefix("tern: error: base.json: "))
    #expect(refused.errors.contains(message))
    #expect(refused.errors.split(separator: "\n").count == 1)
  }

  @Test(arguments: [
    (["gemm", "7", "9", "5"], "matmul [7, 5] x [5, 9]"),
    (["gemm", "7x9x5"], "matmul [7, 5] x [5, 9]"),
    (["gemm", "6"], "matmul [6, 6] x [6, 6]"),
    (["gemm", "3", "4", "5", "6"], "matmul [3, 4, 6] x [3, 6, 5]"),
    (
      ["conv", "2,4,9,8", "6", "3x5", "--stride", "2", "--padding", "1x2", "--groups", "2"],
      "conv2d [2, 4, 9, 8] -> 6, 3x5, stride 2, padding 1x2, groups 2"
    ),
    (["conv", "2", "3", "9", "8", "4", "3", "--bias"], "conv2d [2, 3, 9, 8] -> 4, 3x3"),
    (["ops", "softmax", "6,5", "dim=1"], "softmax [6, 5], dim 1"),
    (["ops", "softmax", "input=6,5", "dim=1"], "softmax [6, 5], dim 1"),
    (["ops", "embedding", "6:9", "9,4"], "embedding [6] [9, 4]"),
    (["ops", "cat", "tensors.0=2,3", "tensors.1=2,5", "dim=1"], "cat [2, 3] [2, 5], dim 1"),
    (["ops", "optimizer.sgd", "33", "lr=0.1"], "optimizer.sgd [33]"),
  ])
  func aShapeOnTheCommandLine(arguments: [String], expected: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let result = try bench(arguments + ["--iterations", "1", "--json"], in: workspace)
    #expect(result.status == 0, "\(result.errors)")
    guard case .array(let results)? = try JSON(parsing: result.output)["results"] else {
      Issue.record("no results: \(result.output)")
      return
    }
    #expect(!results.isEmpty)
    for entry in results {
      let name = "\(entry["op"]?.stringValue ?? "") \(entry["shape"]?.stringValue ?? "")"
      #expect(name.hasPrefix(expected))
    }
  }

  /// Each type has its rows and its peak; what has no form of 16 bits is measured once.
  @Test func everyTypeHasItsRows() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let result = try Command.run(
      ["bench", "gemm", "40", "--dtype", "float32,float16", "--device", "cpu", "--iterations", "1"]
        + ["--json"], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let json = try JSON(parsing: result.output)
    guard case .array(let results)? = json["results"] else {
      Issue.record("no results: \(result.output)")
      return
    }
    #expect(
      results.map { $0["dtype"]?.stringValue }
        == ["float32", "float16", "float32", "float16", "float32", "float16"])
    #expect(json["context"]?["peaks"]?["float16"]?["gflops"]?.doubleValue.map { $0 > 0 } == true)
    let wrong = try Command.run(
      ["bench", "gemm", "8", "--dtype", "float31", "--device", "cpu"], in: workspace.path)
    #expect(wrong.status == 64)
    let sums = try Command.run(
      ["bench", "ops", "softmax", "8,8", "dim=1", "--dtype", "float32,float16"]
        + ["--device", "cpu", "--iterations", "1", "--pass", "forward"], in: workspace.path)
    #expect(
      sums.output.split(separator: "\n").count { $0.hasPrefix("softmax") } == 1, "\(sums.output)")
  }

  @Test func everyFormatHasARowPerPass() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    func rows(_ format: String, _ more: [String] = []) throws -> [String] {
      let result = try bench(
        ["gemm", "8", "--iterations", "1", "--format", format] + more, in: workspace)
      #expect(result.status == 0, "\(result.errors)")
      return result.output.components(separatedBy: "\n")
    }
    let csv = try rows("csv")
    #expect(csv.count == 5 && csv[4].isEmpty)
    #expect(csv[0].hasPrefix("name,op,shape,pass,dtype,count,implementation,status,"))
    for line in csv[1...3] {
      #expect(line.hasPrefix("\"[8, 8] x [8, 8]\",matmul,\"[8, 8] x [8, 8]\","))
      // Commas of two shapes, each quoted.
      #expect(line.filter { $0 == "," }.count == csv[0].filter { $0 == "," }.count + 4)
    }
    let markdown = try rows("markdown").filter { $0.hasPrefix("|") }
    #expect(markdown.count == 5)
    #expect(markdown[1].allSatisfy { "|-:".contains($0) })
    #expect(Set(markdown.map { $0.filter { $0 == "|" }.count }).count == 1)
    let table = try rows("table").filter { $0.hasPrefix("matmul") || $0.hasPrefix("OPERATION") }
    #expect(table.count == 4)
    // Columns stand one below the other, whatever their cells turn out to be.
    let place = try #require(table[0].range(of: "PASS")?.lowerBound)
    let offset = table[0].distance(from: table[0].startIndex, to: place)
    for (line, pass) in zip(table.dropFirst(), ["forward", "backward_data", "backward_weights"]) {
      #expect(line.dropFirst(offset).hasPrefix(pass))
    }
  }

  /// What was measured is printed, whoever ends the measurement: the user, or `timeout`.
  @Test(
    arguments: [
      ["ops"], ["conv", "--suite", "resnet50"],
      ["model", "mlp", "lenet5", "resnet20", "resnet20", "resnet20"],
    ], [SIGINT, SIGTERM])
  func anInterruptedMeasurementKeepsItsResults(arguments: [String], signal: Int32) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let running = try Command.start(
      ["bench"] + arguments + (arguments[0] == "model" ? [] : ["--peak", "50,10"])
        + ["--device", "cpu", "--threads", "1", "--json", "--seconds", "0.01"], in: workspace.path)
    func lineCount() -> Int {
      String(
        decoding: FileManager.default.contents(atPath: running.errorPath) ?? Data(), as: UTF8.self
      ).split(separator: "\n").count { $0.contains("forward: ") || $0.contains(" ms a step") }
    }
    running.wait { lineCount() > 0 }
    kill(running.process.processIdentifier, signal)
    let result = running.wait()
    #expect(result.status == 128 + signal, "\(result.errors)")
    let json = try JSON(parsing: result.output)
    #expect(json["complete"] == .bool(false))
    #expect(json["context"]?["device"]?.stringValue == "cpu")
    guard case .array(let results)? = json["results"] else {
      Issue.record("no results: \(result.output)")
      return
    }
    #expect(!results.isEmpty)
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
      #expect(entry["setup_seconds"]?.doubleValue ?? -1 > 0)
      #expect(entry["launches"]?.intValue ?? 0 > 0)
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
    (["ops", "relu", "4", "--pass", "backward_weights"], 64, "no case is left"),
    (["gemm", "8", "9"], 64, "shape: expected M N K, N, or BATCH M N K, got 2 numbers"),
    (["gemm", "8", "9", "ten"], 64, "shape: expected M N K, N, or BATCH M N K, got 'ten'"),
    (["gemm", "0"], 64, "shape: matmul: m: expected at least 1, got 0"),
    (["gemm", "8", "--suite", "gemm"], 64, "suite: give a shape or --suite, not both"),
    (["conv", "1,2,3"], 64, "shape: expected N,C,H,W OUT_CHANNELS KERNEL, got 3 numbers"),
    (["conv", "--stride", "2"], 64, "stride: is of a convolution on the command line"),
    (["ops", "rleu", "4"], 64, "shape: unknown operation 'rleu'; did you mean relu?"),
    (["ops", "relu", "4", "5"], 64, "shape: '5': expected KEY=VALUE"),
    (["gemm", "8", "--json", "--format", "csv"], 64, "format: --json and --format csv"),
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
