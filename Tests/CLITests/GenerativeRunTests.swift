import Foundation
import Tern
import Testing

/// Training of networks that do not classify, from the command line.
@Suite struct GenerativeRunTests {
  private func train(_ workspace: Workspace, _ arguments: [String]) throws {
    let result = try Command.run(["train"] + arguments, in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
  }

  /// Stopped after an epoch, which of a belief network is one of its pre-training, and gone on with.
  /// Their schedules do not look at the end of a run, so that a longer one starts the same.
  @Test(arguments: ["vae", "dcgan", "dbn"]) func resumedRunEndsWithTheSameBytes(model: String)
    throws
  {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 16)
    let settings = [model, "--data", "idx:data", "--batch-size", "16", "--device", "cpu"]
    let path = "checkpoints/last/weights.safetensors"
    try train(workspace, settings + ["--epochs", "4", "--out", "whole"])
    let expected = try #require(workspace.bytes("whole/\(path)"))
    try train(workspace, settings + ["--epochs", "4", "--out", "again"])
    #expect(workspace.bytes("again/\(path)") == expected)
    let running = try Command.start(
      ["train"] + settings + ["--epochs", "4", "--save-every", "1", "--out", "parts"],
      in: workspace.path)
    running.wait { workspace.bytes("parts/checkpoints/last/state.safetensors") != nil }
    kill(running.process.processIdentifier, SIGKILL)
    _ = running.wait()
    try train(workspace, ["--resume", "parts"])
    #expect(workspace.bytes("parts/\(path)") == expected)
  }

  @Test(arguments: ["vae", "dcgan", "autoencoder", "rbm"]) func sheetsAreWritten(model: String)
    throws
  {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 16, test: 8)
    try train(
      workspace,
      [
        model, "--data", "idx:data", "--batch-size", "8", "--epochs", "2", "--device", "cpu",
        "--out", "run",
      ])
    let newest = try #require(workspace.bytes("run/samples.png"))
    #expect(newest.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    #expect(workspace.bytes("run/samples/epoch-2.png") == newest)
    #expect(workspace.bytes("run/samples/epoch-1.png") != newest)
    let report = String(decoding: try #require(workspace.bytes("run/report.html")), as: UTF8.self)
    #expect(report.contains("data:image/png;base64,\(newest.base64EncodedString())"))
    #expect(!report.contains("accuracy"), "there are no classes")
  }

  /// What a run exports can be imported again, and nothing is lost on the way.
  @Test(arguments: ["rbm", "dbn", "vae"]) func weightsGoOutAndIn(model: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 16, test: 8)
    let path = workspace.file
    try train(
      workspace,
      [model, "--data", "idx:data", "--epochs", "3", "--device", "cpu", "--out", "run"])
    for arguments in [
      "export run --out out.safetensors", "plot run --out curves.svg",
      "import out.safetensors --model \(model) --out in.safetensors",
    ] {
      let result = try Command.run(
        arguments.split(separator: " ").map(String.init), in: workspace.path)
      #expect(result.status == 0, "\(arguments): \(result.errors)")
    }
    #expect(
      try Safetensors(contentsOf: path("in.safetensors")).tensors
        == Safetensors(contentsOf: path("out.safetensors")).tensors)
  }

  @Test func objectivesLogTheirMetrics() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 16, test: 8)
    try train(
      workspace, ["vae", "--data", "idx:data", "--epochs", "1", "--device", "cpu", "--out", "run"])
    let table = String(decoding: try #require(workspace.bytes("run/results.csv")), as: UTF8.self)
    #expect(table.contains("train_elbo") && table.contains("test_kl"))
    let result = try Command.run(["test", "run", "--json"], in: workspace.path)
    let metrics = try JSON(parsing: result.output)
    let (loss, elbo) = (metrics["loss"]?.doubleValue, metrics["elbo"]?.doubleValue)
    #expect(loss != nil && loss == elbo.map { -$0 })
  }

  @Test(arguments: [
    (["vae", "--normalize", "auto"], "is trained with none only"),
    (["dbn", "--epochs", "2"], "give more than that"),
    (["vae", "--monitor", "test_accuracy"], "has no accuracy"),
    (["dcgan", "--patience", "2"], "give --epochs alone"),
    (["rbm", "--cd-steps", "0"], "cd-steps"),
  ]) func whatDoesNotFitIsRefused(arguments: [String], message: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 16, test: 8)
    let result = try Command.run(
      ["train"] + arguments + ["--data", "idx:data", "--device", "cpu"], in: workspace.path)
    #expect(result.status == 64)
    #expect(result.errors.contains(message), "\(result.errors)")
  }
}
