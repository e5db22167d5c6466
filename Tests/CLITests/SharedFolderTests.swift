import Foundation
import Tern
import Testing

/// Two processes that mean the same folder, and what of others is in one.
@Suite struct SharedFolderTests {
  private static let rows =
    "a,b,label\n" + (0..<40).map { "\($0),\(($0 * 7) % 11),\($0 % 2 == 0 ? "x" : "y")\n" }.joined()
  private static let train = [
    "train", "linear", "--data", "csv:t.csv", "--device", "reference", "--batch-size", "16",
  ]

  private func withTable(_ body: (Workspace) throws -> Void) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write("t.csv", Self.rows)
    try body(workspace)
  }

  private func run(_ arguments: [String], _ workspace: Workspace) throws -> Command.Result {
    let result = try Command.run(arguments, in: workspace.path)
    #expect(result.status == 0, "\(arguments): \(result.errors)")
    return result
  }

  @Test func runsStartedTogetherGetFoldersOfTheirOwn() throws {
    try withTable { workspace in
      let count = 16
      let running = try (0..<count).map {
        try Command.start(
          Self.train + ["--epochs", "1", "--seed", "\($0)", "--json"], in: workspace.path)
      }
      var seeds: Set<String> = []
      for (seed, process) in running.enumerated() {
        let result = process.wait()
        #expect(result.status == 0, "\(result.errors)")
        let start = try JSON(parsing: String(result.output.split(separator: "\n")[0]))
        let folder = try #require(start["run"]?.stringValue)
        seeds.insert(folder)
        let config = String(
          decoding: workspace.bytes("\(folder)/config.yaml") ?? Data(), as: UTF8.self)
        #expect(config.contains("\nseed: \(seed)\n"), "\(folder)")
        #expect(workspace.bytes("\(folder)/summary.json") != nil)
      }
      #expect(seeds.count == count)
    }
  }

  /// Of several runs with the same --out one is done; the others say so, and remove nothing.
  @Test func oneRunPerFolder() throws {
    try withTable { workspace in
      let running = try (0..<6).map {
        try Command.start(
          Self.train + ["--epochs", "3", "--seed", "\($0)", "--out", "run", "-q"],
          in: workspace.path)
      }
      let results = running.map { $0.wait() }
      #expect(results.count { $0.status == 0 } == 1, "\(results.map(\.errors))")
      for result in results where result.status != 0 {
        #expect(result.status == 73)
        #expect(
          result.errors.contains("in use by process") || result.errors.contains("holds a run"),
          "\(result.errors)")
      }
      let winner = try #require(results.firstIndex { $0.status == 0 })
      let config = String(decoding: workspace.bytes("run/config.yaml")!, as: UTF8.self)
      #expect(config.contains("\nseed: \(winner)\n"))
      #expect(workspace.bytes("run/summary.json") != nil)
    }
  }

  /// A run in use is gone on with by nobody else, until its process ends, however it does.
  @Test func aRunInUseIsLocked() throws {
    try withTable { workspace in
      let running = try Command.start(
        Self.train + ["--epochs", "100000", "--out", "run", "-q"], in: workspace.path)
      running.wait { workspace.bytes("run/checkpoints/last/state.safetensors") != nil }
      let second = try Command.run(["train", "--resume", "run"], in: workspace.path)
      #expect(second.status == 73)
      #expect(
        second.errors.contains("run: in use by process \(running.process.processIdentifier)"),
        "\(second.errors)")
      // What only reads goes on.
      _ = try run(["test", "run", "--device", "reference"], workspace)
      kill(running.process.processIdentifier, SIGKILL)
      _ = running.wait()
      _ = try run(["train", "--resume", "run", "--dry-run"], workspace)
      let rowsBefore = workspace.bytes("run/results.csv")?.count ?? 0
      let again = try Command.start(["train", "--resume", "run", "-q"], in: workspace.path)
      again.wait { (workspace.bytes("run/results.csv")?.count ?? 0) > rowsBefore }
      kill(again.process.processIdentifier, SIGINT)
      #expect(again.wait().status == 130)
      // The rows of the epochs that the checkpoint counts, and no others.
      let progress = try Checkpoint(contentsOf: workspace.file("run/checkpoints/last")).progress
      let rows = String(decoding: workspace.bytes("run/results.csv")!, as: UTF8.self)
        .split(separator: "\n").dropFirst()
      #expect(progress.history.map(\.epoch) == Array(1...max(progress.history.count, 1)))
      #expect(
        rows.map { $0.prefix { $0 != "," } } == progress.history.map { "\($0.epoch)"[...] })
    }
  }

  @Test func oneSweepPerFolder() throws {
    try withTable { workspace in
      try workspace.write(
        "sweep.yaml",
        """
        settings: {model: linear, data: "csv:t.csv", epochs: 300, device: reference}
        parameters: {lr: [0.1, 0.2, 0.3, 0.4]}
        """)
      let running = try (0..<2).map { _ in
        try Command.start(["sweep", "sweep.yaml", "--out", "s", "-q"], in: workspace.path)
      }
      let results = running.map { $0.wait() }
      #expect(Set(results.map(\.status)) == [0, 73], "\(results.map(\.errors))")
      #expect(results.contains { $0.errors.contains("s: in use by process") })
    }
  }

  @Test func foldersOfOthersAmongTheCheckpointsStay() throws {
    try withTable { workspace in
      _ = try run(Self.train + ["--epochs", "2", "--out", "run", "-q"], workspace)
      let names = ["my-step-notes", "step-backup", "step-1-mine", "step-9999", ".step-x", "step-2"]
      for name in names {
        let folder = workspace.file("run/checkpoints/\(name)")
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try workspace.write("run/checkpoints/\(name)/notes.txt", "mine")
      }
      _ = try run(["train", "--resume", "run", "--epochs", "5", "-q"], workspace)
      for name in names {
        #expect(
          workspace.bytes("run/checkpoints/\(name)/notes.txt") == Data("mine".utf8), "\(name)")
      }
      // Of the run's own there are two at most.
      let own = try FileManager.default.contentsOfDirectory(
        atPath: workspace.file("run/checkpoints")
      ).filter { $0.hasPrefix("step-") && !names.contains($0) }
      #expect(own.count <= 2, "\(own)")
    }
  }

  /// A copy whose links became folders is a run like any other.
  @Test func aCopyWithoutLinksGoesOn() throws {
    try withTable { workspace in
      _ = try run(Self.train + ["--epochs", "2", "--out", "run", "-q"], workspace)
      let copy = try Command.shell("cp -rL run copy", in: workspace.path)
      #expect(copy.status == 0, "\(copy.errors)")
      _ = try run(["train", "--resume", "copy", "--epochs", "4", "-q"], workspace)
      _ = try run(["train", "--resume", "run", "--epochs", "4", "-q"], workspace)
      let weights = "checkpoints/last/weights.safetensors"
      #expect(workspace.bytes("copy/\(weights)") == workspace.bytes("run/\(weights)"))
      #expect(
        try FileManager.default.destinationOfSymbolicLink(
          atPath: workspace.file("copy/checkpoints/last")
        ).hasPrefix("step-"))
    }
  }

  /// What cannot be written is found before anything is trained.
  @Test(arguments: ["t.csv/run", "/proc/none/run", "/dev/null"])
  func aFolderThatCannotBeMadeIsFoundFirst(path: String) throws {
    try withTable { workspace in
      let result = try Command.run(
        Self.train + ["--epochs", "1", "--out", path], in: workspace.path)
      #expect(result.status == 73, "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
  }

  /// A link where a verb writes is said and left, before anything is computed.
  @Test func linksAtOutputsAreLeft() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 20)
    let path = workspace.path
    let train = "tern train linear --data idx:data --device reference --epochs 1 -q --out"
    #expect(try Command.shell("\(train) run", in: path).status == 0)
    #expect(try Command.shell("tern export run --out w.safetensors", in: path).status == 0)
    try workspace.write("theirs", "theirs")
    let commands = [
      ("tern export run --out o.npz", "o.npz"), ("tern plot run --out o.svg", "o.svg"),
      ("tern data preview --data idx:data --out o.png", "o.png"),
      ("tern import w.safetensors --model linear --out o.safetensors", "o.safetensors"),
      ("tern lr-find linear --data idx:data --device reference --out o.svg", "o.svg"),
      ("tern train --resume run --epochs 2", "run/log.jsonl"),
      ("\(train) new", "new/report.html"), ("tern sweep s.yaml --out swept", "swept/sweep.csv"),
    ]
    try workspace.write(
      "s.yaml",
      """
      parameters: {lr: [0.1, 0.2]}
      settings: {model: linear, data: "idx:data", device: reference, epochs: 1}
      """)
    for (command, output) in commands {
      let link = workspace.file(output)
      #expect(FileSystem.createFolder(link.parentPath))
      _ = unlink(link)
      #expect(symlink(workspace.file("theirs"), link) == 0)
      let result = try Command.shell(command, in: path)
      #expect(result.status == 73, "\(command): \(result.status) \(result.errors)")
      #expect(result.errors.contains("\(output): a link to "), "\(command): \(result.errors)")
      #expect(FileSystem.linkTarget(link) == workspace.file("theirs"))
      #expect(workspace.bytes("theirs") == Data("theirs".utf8))
      #expect(unlink(link) == 0)
    }
  }
}
