import Foundation
import TernCore
import Testing

/// `tern tune`, with a cache of its own. No test says how fast anything is.
@Suite(.serialized) struct TuneTests {
  private static let suite = """
    {"name": "tiny", "cases": [
      {"op": "conv2d", "batch": 2, "in_channels": 1, "height": 8, "width": 8, "out_channels": 2,
       "kernel_size": [3, 3]}
    ]}
    """

  private func tune(
    _ arguments: [String], on device: String = "opencl", in workspace: Workspace
  ) throws -> Command.Result {
    try Command.run(
      ["tune", "--device", device, "--suite", "tiny.json"] + arguments, in: workspace.path,
      environment: ["XDG_CACHE_HOME": workspace.path])
  }

  private func database(_ workspace: Workspace) throws -> String {
    let folder = workspace.file("tern")
    let name = try FileManager.default.contentsOfDirectory(atPath: folder)
      .first { $0.hasPrefix("tuning-") }
    return try folder + "/" + #require(name)
  }

  @Test(arguments: ["opencl", "cpu"])
  func whatIsFoundIsKept(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("tiny.json", Self.suite)
    func tune(_ arguments: [String], in workspace: Workspace) throws -> Command.Result {
      try self.tune(arguments, on: device, in: workspace)
    }
    let interrupted = try tune(["--budget", "0.000001"], in: workspace)
    #expect(interrupted.status == 0, "\(interrupted.errors)")
    #expect(interrupted.errors.contains(", 0 of them known"))
    #expect(interrupted.errors.contains("the budget of 0 s is spent: 0 tuned"))

    let first = try tune(["--budget", "1000", "--json"], in: workspace)
    #expect(first.status == 0, "\(first.errors)")
    let lines = try first.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(lines.count >= 2)
    #expect(lines.last?["tuned"]?.intValue == lines.count - 1)
    for finding in lines.dropLast() {
      #expect(finding["problem"]?.stringValue?.hasPrefix("conv2d ") == true)
      guard case .array(let candidates)? = finding["candidates"] else {
        Issue.record("no candidates: \(finding)")
        continue
      }
      #expect(candidates.count >= 2)
      #expect(candidates.contains { $0["seconds"]?.doubleValue ?? 0 > 0 })
    }

    let second = try tune([], in: workspace)
    #expect(second.status == 0)
    #expect(second.output.isEmpty)
    #expect(second.errors.contains("\(lines.count - 1) of them known"))
    #expect(second.errors.contains("nothing left to do"))

    try Data("{\"results\":".utf8).write(to: URL(fileURLWithPath: database(workspace)))
    let corrupt = try tune(["--budget", "1000"], in: workspace)
    #expect(corrupt.status == 0)
    #expect(corrupt.errors.components(separatedBy: "not a tuning database").count == 2)
    #expect(try tune([], in: workspace).errors.contains("nothing left to do"))
  }

  /// What was found on the CPU is what runs; a user's word goes before it, and is understood or refused.
  @Test func implementationsAreAskedForByName() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    func run(_ algorithm: [String]) throws -> Command.Result {
      try Command.run(
        ["verify", "--device", "cpu", "--op", "conv2d/basic"] + algorithm, in: workspace.path,
        environment: ["XDG_CACHE_HOME": workspace.path])
    }
    for algorithm in ["no-paired", "onednn,no-tiles", "direct,no-paired", "onednn parts"] {
      let result = try run(["--algorithm", algorithm])
      #expect(result.status == 0, "\(algorithm): \(result.errors)")
    }
    for (algorithm, named) in [("no-clblast", "clblast"), ("fastest", "fastest")] {
      let result = try run(["--algorithm", algorithm])
      #expect(result.status == 64, "\(algorithm): \(result.errors)")
      #expect(result.errors.contains("no '\(named)'; it has ") && result.errors.contains("paired"))
    }
    #expect(try run(["--algorithm", "direct,"]).status == 64)
  }
}
