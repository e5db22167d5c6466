import Foundation
import TernCore
import Testing

/// `tern tune`, with a cache of its own. No test says how fast anything is.
@Suite(.serialized) struct TuneTests {
  private static let suite = """
    {"name": "tiny", "cases": [
      {"op": "linear", "batch": 4, "in_features": 20, "out_features": 12, "bias": true}
    ]}
    """

  private func tune(_ arguments: [String], in workspace: Workspace) throws -> Command.Result {
    try Command.run(
      ["tune", "--device", "opencl", "--suite", "tiny.json"] + arguments, in: workspace.path,
      environment: ["XDG_CACHE_HOME": workspace.path])
  }

  private func database(_ workspace: Workspace) throws -> String {
    let folder = workspace.file("tern")
    let name = try FileManager.default.contentsOfDirectory(atPath: folder)
      .first { $0.hasPrefix("tuning-") }
    return try folder + "/" + #require(name)
  }

  @Test func aSecondStartHasNothingToDo() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("tiny.json", Self.suite)
    let first = try tune(["--json"], in: workspace)
    #expect(first.status == 0, "\(first.errors)")
    let findings = try first.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(findings.count == 3)
    for finding in findings {
      #expect(finding["problem"]?.stringValue?.hasPrefix("matmul 1x") == true)
      guard case .array(let candidates)? = finding["candidates"] else {
        Issue.record("no candidates: \(finding)")
        continue
      }
      #expect(candidates.contains { $0["seconds"]?.doubleValue ?? 0 > 0 })
    }
    let second = try tune([], in: workspace)
    #expect(second.status == 0)
    #expect(second.output.isEmpty)
    #expect(second.errors.contains("3 to tune, 3 of them known"))
    #expect(second.errors.contains("nothing left to do"))
  }

  @Test func aSpentBudgetLeavesTheRestForLater() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("tiny.json", Self.suite)
    let first = try tune(["--budget", "0.000001"], in: workspace)
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.errors.contains("the budget of 0 s is spent: 0 tuned"))
    let second = try tune([], in: workspace)
    #expect(second.errors.contains("3 to tune, 0 of them known"))
    #expect(second.errors.contains("3 tuned"))
  }

  @Test func aCorruptDatabaseIsReportedOnceAndReplaced() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("tiny.json", Self.suite)
    _ = try tune([], in: workspace)
    try Data("{\"results\":".utf8).write(to: URL(fileURLWithPath: database(workspace)))
    let result = try tune([], in: workspace)
    #expect(result.status == 0)
    #expect(result.errors.components(separatedBy: "not a tuning database").count == 2)
    #expect(try tune([], in: workspace).errors.contains("3 of them known"))
  }
}
