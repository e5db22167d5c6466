import Foundation
import Tern
import TernTestSupport
import Testing

/// Training from the command line: logs, checkpoints, interruption, resumption.
@Suite struct RunTests {
  private static let weights = "checkpoints/last/weights.safetensors"

  private func train(_ workspace: Workspace, _ arguments: String...) throws -> Command.Result {
    let result = try Command.run(["train"] + arguments, in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    return result
  }

  @Test func jsonLines() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let result = try train(
      workspace, "lenet5", "--data", "idx:data", "--epochs", "2", "--batch-size", "32",
      "--log-every",
      "3", "--log-format", "json", "--device", "cpu", "--out", "run")
    let events = try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(events.first?["event"] == .string("start"))
    #expect(events.last?["event"] == .string("end"))
    #expect(events.last?["reason"] == .string("finished"))
    #expect(events.count { $0["event"] == .string("epoch") } == 2)
    #expect(events.count { $0["event"] == .string("step") } == 6)
    for event in events where event["event"] == .string("step") {
      for key in ["step", "epoch", "loss", "lr", "images_per_second", "data_wait_ms"] {
        #expect(event[key]?.doubleValue != nil, "\(key)")
      }
    }
    for name in ["config.yaml", "log.jsonl", "results.csv", "summary.json", Self.weights] {
      #expect(workspace.bytes("run/\(name)") != nil, "\(name)")
    }
    let rows = String(decoding: workspace.bytes("run/results.csv")!, as: UTF8.self).split(
      separator: "\n")
    #expect(rows.count == 3)
  }

  /// The data can be told apart by eye; a network that does not learn them is broken.
  @Test func learnsAndTests() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    _ = try train(
      workspace, "lenet5", "--data", "idx:data", "--epochs", "10", "--batch-size", "20", "--out",
      "run", "--device", "cpu")
    let result = try Command.run(["test", "run", "--json"], in: workspace.path)
    let metrics = try JSON(parsing: result.output)
    #expect(metrics["accuracy"]?.doubleValue ?? 0 > 0.95, "\(result.output)")
    #expect(metrics["samples"] == .int(60))
    for key in ["loss", "top5", "confusion", "per_class", "auc"] { #expect(metrics[key] != nil) }
    let again = try Command.run(
      [
        "test", "--model", "lenet5", "--weights", "run/\(Self.weights)", "--data", "idx:data",
        "--batch-size", "20", "--json",
      ],
      in: workspace.path)
    #expect(again.output == result.output)
  }

  @Test(arguments: TestDevices.ids) func resumedRunEndsWithTheSameBytes(
    device: String
  )
    throws
  {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 90, test: 20)
    let common = ["lenet5", "--data", "idx:data", "--batch-size", "32", "--device", device]
    func run(_ arguments: [String]) throws {
      let result = try Command.run(["train"] + arguments, in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
    }
    try run(common + ["--epochs", "4", "--out", "whole"])
    try run(common + ["--epochs", "4", "--out", "again"])
    try run(common + ["--epochs", "2", "--out", "parts"])
    try run(["--resume", "parts", "--epochs", "4"])
    let expected = try #require(workspace.bytes("whole/\(Self.weights)"))
    #expect(workspace.bytes("again/\(Self.weights)") == expected)
    #expect(workspace.bytes("parts/\(Self.weights)") == expected)
  }

  /// Killed at several moments and resumed each time: the bytes of an uninterrupted run.
  @Test func killedRunsGoOn() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 2000, test: 50)
    let settings = [
      "lenet5", "--data", "idx:data", "--epochs", "6", "--batch-size", "16", "--save-every", "7",
      "--device", "cpu", "--threads", "1",
    ]
    _ = try Command.run(["train"] + settings + ["--out", "whole"], in: workspace.path)
    var running = try Command.start(["train"] + settings + ["--out", "run"], in: workspace.path)
    for attempt in 0..<6 {
      usleep(useconds_t(150_000 + attempt * 60_000))
      kill(running.process.processIdentifier, SIGKILL)
      _ = running.wait()
      if workspace.bytes("run/checkpoints/last/weights.safetensors") != nil {
        #expect(throws: Never.self) {
          try Checkpoint(contentsOf: workspace.file("run/checkpoints/last"))
        }
      }
      guard workspace.bytes("run/config.yaml") != nil else {
        running = try Command.start(["train"] + settings + ["--out", "run"], in: workspace.path)
        continue
      }
      running = try Command.start(["train", "--resume", "run"], in: workspace.path)
    }
    let last = running.wait()
    #expect(last.status == 0, "\(last.errors)")
    #expect(workspace.bytes("run/\(Self.weights)") == workspace.bytes("whole/\(Self.weights)"))
    #expect(workspace.bytes("whole/\(Self.weights)") != nil)
  }

  @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
  func interruption(signal: Int32, status: Int32) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset("the data", train: 3000, test: 50)
    let folder = "a run's folder"
    let running = try Command.start(
      [
        "train", "lenet5", "--data", "idx:the data", "--epochs", "1000", "--log-every", "40",
        "--device", "cpu", "--out", folder,
      ], in: workspace.path)
    // As soon as it trains.
    running.wait { running.hasSaid("step") }
    kill(running.process.processIdentifier, signal)
    let result = running.wait()
    #expect(result.status == status, "\(result.errors)")
    #expect(throws: Never.self) {
      try Checkpoint(contentsOf: workspace.file("\(folder)/checkpoints/last"))
    }
    // The command goes on as it is printed.
    let line = try #require(result.errors.split(separator: "\n").last)
    let command = try #require(line.firstRange(of: "tern train").map { line[$0.lowerBound...] })
    let resumed = try Command.shell("\(command) --dry-run", in: workspace.path)
    #expect(resumed.status == 0, "\(command): \(resumed.errors)")
  }

  /// An evaluation that takes long is left for when the run goes on.
  @Test func interruptionOfAnEvaluation() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 20, test: 1200)
    let running = try Command.start(
      [
        "train", "lenet5", "--data", "idx:data", "--epochs", "1", "--batch-size", "10",
        "--log-every", "1", "--device", "reference", "--out", "run",
      ], in: workspace.path)
    // The last step of the epoch.
    running.wait { running.hasSaid("step 2/2") }
    kill(running.process.processIdentifier, SIGINT)
    let result = running.wait()
    #expect(result.status == 130, "\(result.errors)")
    #expect(!result.errors.contains("test loss"))
    let saved = try Checkpoint(contentsOf: workspace.file("run/checkpoints/last")).progress
    #expect(saved.step == 2 && saved.history.isEmpty)
    let resumed = try Command.run(["train", "--resume", "run"], in: workspace.path)
    #expect(resumed.status == 0, "\(resumed.errors)")
    let end = try Checkpoint(contentsOf: workspace.file("run/checkpoints/last")).progress
    #expect(end.step == 2 && end.history.count == 1 && end.isFinished)
    #expect(end.history[0].trainLoss > 0)
  }

  /// SIGUSR1 asks for a checkpoint, and the run goes on.
  @Test func checkpointOnRequest() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 3000, test: 50)
    let running = try Command.start(
      [
        "train", "lenet5", "--data", "idx:data", "--epochs", "1000", "--log-every", "40",
        "--device",
        "cpu", "--log-format", "json", "--out", "run",
      ], in: workspace.path)
    /// How many events of each kind were logged until one moment: the run goes on while they are
    /// counted.
    func counts() -> [String: Int] {
      let text = FileManager.default.contents(atPath: running.outputPath) ?? Data()
      let kinds = text.split(separator: UInt8(ascii: "\n")).map { line in
        String(decoding: line.prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self)
      }
      return Dictionary(kinds.map { ($0, 1) }, uniquingKeysWith: +)
    }
    func count(_ event: String, _ counts: [String: Int]) -> Int {
      counts["{\"event\":\"\(event)\""] ?? 0
    }
    func wait(until condition: ([String: Int]) -> Bool) {
      running.wait { condition(counts()) }
      #expect(running.process.isRunning, "ended early: \(counts())")
    }
    wait { count("step", $0) > 0 }
    let before = counts()
    kill(running.process.processIdentifier, SIGUSR1)
    // More checkpoints than the ends of epochs account for.
    wait {
      count("checkpoint", $0) - count("checkpoint", before)
        > count("epoch", $0) - count("epoch", before)
    }
    let steps = count("step", counts())
    wait { count("step", $0) > steps }
    kill(running.process.processIdentifier, SIGINT)
    #expect(running.wait().status == 130)
  }

  @Test func resumeRefusesOtherSettings() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    _ = try train(workspace, "mlp", "--data", "idx:data", "--epochs", "2", "--out", "run")
    for flags in [["--lr", "0.5"], ["--epochs", "1"], ["--batch-size", "7"]] {
      let result = try Command.run(["train", "--resume", "run"] + flags, in: workspace.path)
      #expect(result.status == 64)
      #expect(result.errors.contains("run was trained with"))
    }
    let several = try Command.run(
      ["train", "--resume", "run", "--lr", "0.5", "--batch-size", "7"], in: workspace.path)
    #expect(several.errors.contains("batch_size 64, lr 0.03, not with batch_size 7, lr 0.5"))
    let before = workspace.bytes("run/\(Self.weights)")
    let second = try Command.run(
      ["train", "mlp", "--data", "idx:data", "--out", "run"], in: workspace.path)
    #expect(second.status == 73)
    #expect(workspace.bytes("run/\(Self.weights)") == before)
  }

  @Test func dryRunWritesNothing() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    _ = try train(workspace, "lenet5", "--data", "idx:data", "--dry-run")
    #expect(!FileManager.default.fileExists(atPath: workspace.file("runs")))
  }
}
