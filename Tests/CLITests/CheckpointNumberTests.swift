import Foundation
import Tern
import Testing

/// Numbers from outside that no run comes to, and files that grow with a run.
@Suite struct CheckpointNumberTests {
  private static let train = [
    "train", "linear", "--data", "idx:data", "--device", "reference", "--batch-size", "10", "-q",
  ]

  private func trained(_ epochs: Int) throws -> Workspace {
    let workspace = try Workspace()
    try workspace.writeDataset(train: 20, test: 10)
    let result = try Command.run(
      Self.train + ["--epochs", "\(epochs)", "--out", "run"], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    return workspace
  }

  @Test func everyNumberOfTheProgressIsChecked() throws {
    let workspace = try trained(2)
    defer { workspace.remove() }
    let path = workspace.file("run/checkpoints/last/state.safetensors")
    let whole = try Safetensors(contentsOf: path)
    let progress = try JSON(parsing: #require(whole.metadata["progress"]))
    guard case .object(let members) = progress else {
      Issue.record("\(progress)")
      return
    }
    let wrong: [JSON] = [
      .int(.max), .int(.min), .int(-1), .double(1e19), .double(1e300), .string("1"), .bool(true),
      .int(1 << 40),
    ]
    for name in ["epoch", "batch", "step", "epochs_without_improvement", "epochs_done"] {
      #expect(progress[name] != nil, "\(name)")
      for value in wrong {
        var metadata = whole.metadata
        metadata["progress"] =
          JSON.object(
            members.map { JSON.Member(name: $0.name, value: $0.name == name ? value : $0.value) }
          ).description
        try Safetensors(tensors: whole.tensors, metadata: metadata).encoded().write(
          to: URL(fileURLWithPath: path))
        let result = try Command.run(
          ["train", "--resume", "run", "--epochs", "4"], in: workspace.path)
        #expect(result.status == 65, "\(name) \(value): \(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
      }
    }
    for (name, value) in [
      ("seconds", JSON.double(-1)), ("rate_drops", .array([.int(.max)])), ("rate_drops", .null),
    ] {
      var metadata = whole.metadata
      metadata["progress"] =
        JSON.object(
          members.map { JSON.Member(name: $0.name, value: $0.name == name ? value : $0.value) }
        ).description
      try Safetensors(tensors: whole.tensors, metadata: metadata).encoded().write(
        to: URL(fileURLWithPath: path))
      let result = try Command.run(
        ["train", "--resume", "run", "--epochs", "4"], in: workspace.path)
      #expect(result.status == 65, "\(name): \(result.errors)")
    }
  }

  @Test(arguments: [
    "seed", "epochs", "batch_size", "accumulate", "patience", "save_every", "lr_step", "workers",
    "log_every", "cd_steps", "steps", "schedule_epochs", "image_size",
  ])
  func everyIntegerOfTheSettingsIsChecked(name: String) throws {
    for value in [
      "1e19", "-1e19", "9223372036854775808", "1e300", ".inf", ".nan", "-9223372036854775808",
    ] {
      #expect(throws: TernError.self, "\(name) \(value)") {
        _ = try TrainingConfiguration(YAML.parseMap("\(name): \(value)", file: "config.yaml"))
      }
    }
  }

  @Test func theRangesOfASweepAreChecked() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 20, test: 10)
    for parameter in [
      "epochs: {min: 1, max: 9223372036854775807}", "epochs: {min: -9223372036854775808, max: 2}",
      "batch_size: {min: 1, max: 1e300}", "seed: {min: 0, max: 1e19}",
      "lr: {min: -1e308, max: 1e308}",
    ] {
      try workspace.write(
        "s.yaml",
        """
        settings: {model: linear, data: "idx:data", epochs: 1, device: reference}
        parameters: {\(parameter)}
        """)
      let result = try Command.run(["sweep", "s.yaml", "--out", "s", "-q"], in: workspace.path)
      #expect(result.status == 65, "\(parameter): \(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
  }

  /// What an epoch adds is appended: a checkpoint does not grow with the epochs before it.
  @Test func theHistoryIsAppended() throws {
    let workspace = try trained(3)
    defer { workspace.remove() }
    let state = "run/checkpoints/last/state.safetensors"
    let early = try #require(workspace.bytes(state)).count
    let result = try Command.run(
      ["train", "--resume", "run", "--epochs", "60", "-q"], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let late = try #require(workspace.bytes(state)).count
    #expect(abs(late - early) < 100, "\(early) \(late)")
    let history = try Checkpoint(contentsOf: workspace.file("run/checkpoints/last")).progress
      .history
    #expect(history.map(\.epoch) == Array(1...60))
    let best = try Checkpoint(contentsOf: workspace.file("run/checkpoints/best")).progress
    #expect(best.history.count == best.epoch)
    let rows = String(decoding: workspace.bytes("run/results.csv")!, as: UTF8.self)
      .split(separator: "\n")
    #expect(rows.count == 61)
    #expect(rows.dropFirst().map { $0.prefix { $0 != "," } } == (1...60).map { "\($0)" })
  }

  /// Rows of a run that was killed after it wrote them, and before the checkpoint that counts them.
  @Test func whatNoCheckpointCountsIsWrittenAgain() throws {
    let workspace = try trained(4)
    defer { workspace.remove() }
    _ = try Command.shell("cp -r run whole", in: workspace.path)
    let state = workspace.file("run/checkpoints/last/state.safetensors")
    #expect(FileManager.default.fileExists(atPath: state))
    for name in ["checkpoints/history.jsonl", "results.csv"] {
      let text = String(decoding: try #require(workspace.bytes("run/\(name)")), as: UTF8.self)
      let last = try #require(text.split(separator: "\n").last)
      try workspace.write("run/\(name)", text + last + "\n" + last.prefix(9))
    }
    for run in ["run", "whole"] {
      let result = try Command.run(
        ["train", "--resume", run, "--epochs", "6", "-q"], in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
    }
    func losses(_ run: String) -> [Substring] {
      String(decoding: workspace.bytes("\(run)/results.csv")!, as: UTF8.self)
        .split(separator: "\n").map {
          $0.split(separator: ",").prefix(4).joined(separator: ",")[...]
        }
    }
    #expect(losses("run") == losses("whole") && losses("run").count == 7)
  }
}
