import Foundation
import Tern
import Testing

/// What is seen of a run while it goes on, and drawn of it afterwards.
@Suite struct ProgressTests {
  private func train(_ workspace: Workspace, _ flags: String) throws -> Command.Result {
    let result = try Command.run(
      ["train", "mlp", "--data", "idx:data", "--device", "cpu", "--threads", "1"]
        + flags.split(separator: " ").map(String.init), in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    return result
  }

  /// Fields that do not fit are left out whole; without a terminal there are 80 columns.
  @Test func barsFitTheTerminal() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 200, test: 20)
    let result = try train(
      workspace, "--epochs 2 --batch-size 10 --log-every 1 --log-format bar --out run")
    let bars = result.errors.split(whereSeparator: \.isNewline).filter { $0.contains("\u{1B}[K") }
      .map { $0.replacing("\u{1B}[K", with: "") }.filter { $0.contains("step ") }
    #expect(!bars.isEmpty)
    for bar in bars {
      #expect(bar.count <= 79, "\(bar)")
      #expect(bar.contains("loss ") && bar.contains("ETA "), "\(bar)")
    }
  }

  /// An error does not stand behind a bar, nor a loss in more digits than it has.
  @Test func aRunThatDivergesEndsItsLine() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 200, test: 20)
    let result = try Command.run(
      [
        "train", "mlp", "--data", "idx:data", "--device", "cpu", "--threads", "1", "--lr", "90",
        "--batch-size", "10", "--log-every", "1", "--log-format", "bar", "--out", "run",
      ], in: workspace.path)
    #expect(result.status == 3)
    #expect(result.errors.contains("\ntern: error: training diverged"))
    #expect(result.errors.contains("e+") && !result.errors.contains("0000000"))
  }

  @Test func everyStepHasASpeed() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 20)
    let result = try train(workspace, "--epochs 3 --batch-size 20 --log-every 1 --json --out run")
    let events = try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    let speeds = events.filter { $0["event"] == .string("step") }.map {
      $0["images_per_second"]?.doubleValue ?? 0
    }
    #expect(speeds.count == 9)
    #expect(speeds.allSatisfy { $0 > 0 }, "\(speeds)")
  }

  /// Below the curves, each run once, in its own colour.
  @Test func plotsNameEveryRunOnce() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 20)
    let names = ["one", "two <&>", "a run whose name is longer than others"]
    for (epochs, name) in names.enumerated() {
      let result = try Command.run(
        [
          "train", "linear", "--data", "idx:data", "--device", "cpu", "--epochs", "\(epochs + 1)",
          "--validation-split", "0.2", "--out", name, "-q",
        ], in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
    }
    let result = try Command.run(["plot"] + names + ["--out", "p.svg"], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let picture = String(decoding: try #require(workspace.bytes("p.svg")), as: UTF8.self)
    for name in [">one<", ">two &lt;&amp;><", ">\(names[2])<", ">train<", ">validation<"] {
      #expect(picture.components(separatedBy: name).count == 2, "\(name)")
    }
    // A run of one epoch is a point.
    #expect(picture.contains("<circle"))
  }
}
