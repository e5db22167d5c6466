import Foundation
import Tern
import Testing

/// What a run writes down of its settings, and what becomes of that.
@Suite struct SettingsTests {
  private static let weights = "checkpoints/last/weights.safetensors"
  private static let small = "train lenet5 --data idx:data --batch-size 32 --device cpu --threads 1"

  private func run(_ workspace: Workspace, _ arguments: String) throws -> Command.Result {
    try Command.run(arguments.split(separator: " ").map(String.init), in: workspace.path)
  }

  private func workspace() throws -> Workspace {
    let workspace = try Workspace()
    try workspace.writeDataset(train: 90, test: 20)
    return workspace
  }

  private func text(_ workspace: Workspace, _ name: String) throws -> String {
    String(decoding: try #require(workspace.bytes(name)), as: UTF8.self)
  }

  /// The file says what the optimizer, the schedule and the device were, and gives the same run.
  @Test(arguments: [
    ("", ["momentum: 0.9", "weight_decay: 0.0", "device: \"cpu\"", "monitor: \"test_accuracy\""]),
    (
      "--optimizer adamw --schedule exponential",
      ["betas: [0.9, 0.999]", "weight_decay: 0.01", "lr_gamma: 0.95", "lr: 0.001"]
    ),
  ]) func writtenSettingsAreResolvedAndGiveTheSameRun(flags: String, lines: [String]) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    #expect(try run(workspace, "\(Self.small) --steps 5 --out a \(flags)").status == 0)
    let settings = try text(workspace, "a/config.yaml")
    for line in lines { #expect(settings.contains("\n\(line)\n"), "\(line) in \(settings)") }
    #expect(settings.contains("\nnormalize: \"auto\"  # mean 0."))
    #expect(try run(workspace, "train --config a/config.yaml --out b").status == 0)
    #expect(try text(workspace, "b/config.yaml") == settings)
    #expect(workspace.bytes("a/\(Self.weights)") == workspace.bytes("b/\(Self.weights)"))
    let resumed = try run(workspace, "train --resume a --device auto -q")
    #expect(resumed.status == 0, "\(resumed.errors)")
  }

  /// However the loss is changed for training, what is measured can be compared.
  @Test func measuredLossIsThatOfTest() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let flags = "--epochs 1 --label-smoothing 0.2 --class-weights 1,2,3,4,5,6,7,8,9,10 --out run"
    #expect(try run(workspace, "\(Self.small) \(flags)").status == 0)
    let summary = try JSON(parsing: text(workspace, "run/summary.json"))
    let test = try JSON(parsing: run(workspace, "test run --json --device cpu").output)
    #expect(test["loss"]?.doubleValue != nil && test["loss"] == summary["test_loss"])
  }

  @Test func stepsAloneDecideHowLongARunIs() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let result = try run(workspace, "\(Self.small) --steps 40 --out run --json")
    let events = try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    // Three steps an epoch.
    #expect(events.first?["epochs"] == .int(14))
    #expect(events.count { $0["event"] == .string("epoch") } == 14)
    #expect(try text(workspace, "run/summary.json").contains("\"steps\":40"))
  }

  @Test func editedSettingsAndOtherDataAreNotGoneOnWith() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    #expect(try run(workspace, "\(Self.small) --epochs 1 --out run").status == 0)
    let settings = try text(workspace, "run/config.yaml")
    try workspace.write(
      "run/config.yaml", settings.replacing("\nlr: 0.03", with: "\nlr: 0.5"))
    let edited = try run(workspace, "train --resume run --epochs 2")
    #expect(edited.status == 64)
    #expect(edited.errors.contains("lr 0.03") && edited.errors.contains("lr 0.5"))

    try workspace.write(
      "run/config.yaml", settings.replacing("\nlog_every: 50", with: "\nlog_every: 7"))
    #expect(try run(workspace, "train --resume run --epochs 2 -q").status == 0)

    try workspace.writeDataset(train: 80, test: 20)
    let shorter = try run(workspace, "train --resume run --epochs 3")
    #expect(shorter.status == 64)
    #expect(shorter.errors.contains("90 samples") && shorter.errors.contains("80 samples"))
  }

  @Test func faultsOfAConfigFileNameIt() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    try workspace.write("mine.yaml", "model: lenet5\ndata: idx:data\nepochz: 3\n")
    let unknown = try run(workspace, "train --config mine.yaml")
    #expect(unknown.status == 64)
    #expect(unknown.errors.contains("mine.yaml: unknown setting 'epochz'; did you mean 'epochs'?"))
    try workspace.write("mine.yaml", "model: lenet5\ndata: idx:data\n")
    let flag = try run(workspace, "train --config mine.yaml --epochs 0")
    #expect(flag.status == 64 && !flag.errors.contains("mine.yaml"), "\(flag.errors)")
  }

  @Test func validationIsMonitoredOnlyWhereThereIsSome() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let without = try run(workspace, "\(Self.small) --monitor val_loss --dry-run")
    #expect(without.status == 64 && without.errors.contains("--validation-split"))
    let with = try run(
      workspace, "\(Self.small) --monitor val_loss --validation-split 0.2 --dry-run")
    #expect(with.status == 0, "\(with.errors)")
    #expect(with.output.contains("nothing was written"))
  }

  @Test func aRunThatStoppedEarlyStaysSo() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let first = try run(workspace, "\(Self.small) --lr 0 --patience 2 --epochs 9 --out run")
    #expect(first.status == 0 && first.output.contains("early-stop"), "\(first.output)")
    let again = try run(workspace, "train --resume run --epochs 12")
    #expect(again.output.contains("early-stop"), "\(again.output)")
    #expect(again.errors.contains("nothing was left to train"))
    #expect(try text(workspace, "run/results.csv").split(separator: "\n").count == 4)
  }

  @Test(arguments: ["--class-weights auto", "--label-smoothing 0.1"])
  func whatIsForClassesIsNotForOthers(flag: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let result = try run(workspace, "train conv-autoencoder --data idx:data --dry-run \(flag)")
    #expect(result.status == 64 && result.errors.contains("is for classifiers"), "\(result.errors)")
  }

  @Test func plateauNeedsAMeasure() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let result = try run(workspace, "train dcgan --data idx:data --schedule plateau --dry-run")
    #expect(result.status == 64 && result.errors.contains("plateau"), "\(result.errors)")
  }
}
