import Foundation
import Tern
import Testing

/// What can be done with data, runs and weights besides training and testing.
@Suite struct VerbTests {
  private func run(_ workspace: Workspace, _ arguments: String) throws -> String {
    let result = try Command.run(
      arguments.split(separator: " ").map(String.init), in: workspace.path)
    #expect(result.status == 0, "\(arguments): \(result.errors)")
    return result.output
  }

  private func trained() throws -> Workspace {
    let workspace = try Workspace()
    try workspace.writeDataset()
    _ = try run(
      workspace,
      "train mlp --data idx:data --epochs 6 --batch-size 20 --device cpu --out run --histograms -q")
    return workspace
  }

  @Test func predictsSamples() throws {
    let workspace = try trained()
    defer { workspace.remove() }
    let lines = try run(workspace, "predict run --index 3 --index 17 --top 2 --json")
      .split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(lines.count == 2)
    for (line, label) in zip(lines, ["3", "7"]) {
      #expect(line["label"] == .string(label))
      guard case .array(let predictions)? = line["predictions"] else {
        Issue.record("no predictions in \(line)")
        continue
      }
      #expect(predictions.count == 2)
      #expect(predictions[0]["name"] == .string(label))
      #expect(predictions[0]["probability"]?.doubleValue ?? 0 > 0.5)
    }
    let outside = try Command.run(["predict", "run", "--index", "60"], in: workspace.path)
    #expect(outside.status == 64)
    #expect(outside.errors.contains("0 to 59"))
  }

  @Test func exportsAndImports() throws {
    let workspace = try trained()
    defer { workspace.remove() }
    _ = try run(workspace, "export run --out w.safetensors")
    _ = try run(workspace, "import w.safetensors --model mlp --out again.safetensors")
    let (exported, imported) = (
      try Safetensors(contentsOf: workspace.file("w.safetensors")),
      try Safetensors(contentsOf: workspace.file("again.safetensors"))
    )
    #expect(exported.tensors == imported.tensors)
    _ = try run(workspace, "export run --out w.npz")
    // A ZIP archive whose members are NumPy's.
    let archive = try #require(workspace.bytes("w.npz"))
    #expect(archive.prefix(4) == Data([0x50, 0x4B, 3, 4]))
    #expect(archive.range(of: Data("fc1.weight.npy".utf8)) != nil)
    let wrong = try Command.run(
      ["import", "w.safetensors", "--model", "lenet5", "--out", "x.safetensors"],
      in: workspace.path)
    #expect(wrong.status == 65)
    #expect(wrong.errors.contains("conv1.weight"))
    let type = try Command.run(["export", "run", "--out", "w.h5"], in: workspace.path)
    #expect(type.status == 64)
  }

  /// A run as PyTorch's file and as a network of ONNX, both read again.
  @Test func exportsToOtherFormats() throws {
    let workspace = try trained()
    defer { workspace.remove() }
    _ = try run(workspace, "export run --out w.safetensors")
    let weights = try Safetensors(contentsOf: workspace.file("w.safetensors")).tensors
    _ = try run(workspace, "export run --out w.pt")
    _ = try run(workspace, "import w.pt --model mlp --out again.safetensors")
    #expect(
      try Safetensors(contentsOf: workspace.file("again.safetensors")).tensors == weights)
    let said = try run(workspace, "export run --out net.onnx")
    #expect(said.contains("opset 17, images → logits"))
    _ = try run(workspace, "export net.onnx --out twice.onnx")
    _ = try run(workspace, "export twice.onnx --out twice.safetensors")
    #expect(
      try Safetensors(contentsOf: workspace.file("twice.safetensors")).tensors == weights)
    for (arguments, word) in [
      ("export run --batch-size 4 --out w.npz", "batch-size"),
      ("export run --classes 3 --out w.onnx", "for a model"),
      ("export lenet5 --batch-size 0 --out w.onnx", "batch-size"),
    ] {
      let result = try Command.run(
        arguments.split(separator: " ").map(String.init), in: workspace.path)
      #expect(result.status == 64 && result.errors.contains(word), "\(result.errors)")
    }
    _ = try run(workspace, "export rbm --out rbm.safetensors")
    _ = try run(workspace, "export rbm --weights rbm.safetensors --out rbm.onnx")
  }

  @Test func writesAReportAndEvents() throws {
    let workspace = try trained()
    defer { workspace.remove() }
    let report = String(decoding: try #require(workspace.bytes("run/report.html")), as: UTF8.self)
    for part in ["<svg", "Confusion matrix", "batch_size", "cpu", "prefers-color-scheme: dark"] {
      #expect(report.contains(part), "\(part)")
    }
    // It needs nothing from elsewhere.
    for outside in ["src=\"http", "href=", "<script"] { #expect(!report.contains(outside)) }
    let names = try FileManager.default.contentsOfDirectory(atPath: workspace.file("run"))
    let events = try #require(names.first { $0.hasPrefix("events.out.tfevents.") })
    let content = try #require(workspace.bytes("run/\(events)"))
    for tag in ["loss/train", "accuracy/test", "parameters/fc1.weight", "gradients/fc1.weight"] {
      #expect(content.range(of: Data(tag.utf8)) != nil, "\(tag)")
    }
  }

  @Test func findsALearningRate() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let output = try run(
      workspace,
      "lr-find mlp --data idx:data --batch-size 20 --points 60 --device cpu --json --out lr.svg")
    let result = try JSON(parsing: output)
    let rate = try #require(result["suggestion"]?.doubleValue)
    #expect(rate > 1e-5 && rate < 10)
    let plot = String(decoding: try #require(workspace.bytes("lr.svg")), as: UTF8.self)
    #expect(plot.hasPrefix("<svg") && plot.contains("polyline"))
  }

  @Test func sweepsAndGoesOn() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 100, test: 40)
    try workspace.write(
      "sweep.yaml",
      """
      method: bayesian
      trials: 6
      settings: {model: linear, data: 'idx:data', epochs: 2, batch_size: 20, device: cpu}
      parameters:
        lr: {min: 0.0001, max: 1, scale: log}
        optimizer: [sgd, adam]
      """)
    let first = try run(workspace, "sweep sweep.yaml --out s --json")
    let trials = try first.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(trials.count == 6)
    let values = trials.compactMap { $0["value"]?.doubleValue }
    #expect(values == values.sorted(), "the best comes last")
    // What is done is not done again: half the sweep is lost, and comes back the same.
    for number in 4...6 {
      try FileManager.default.removeItem(atPath: workspace.file("s/trial-\(number)"))
    }
    #expect(try run(workspace, "sweep sweep.yaml --out s --json") == first)
    for name in ["s/sweep.csv", "s/sweep.svg", "s/trial-6/summary.json"] {
      #expect(workspace.bytes(name) != nil, "\(name)")
    }
  }

  @Test func crossValidates() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 100, test: 20)
    let output = try run(
      workspace,
      "train linear --data idx:data --epochs 2 --batch-size 20 --folds 3 --device cpu --out cv -q")
    #expect(output.contains("over 3 folds"))
    let report = String(
      decoding: try #require(workspace.bytes("cv/fold-1/report.html")), as: UTF8.self)
    #expect(report.contains(">validation</text>"))
    let text = String(
      decoding: try #require(workspace.bytes("cv/cross-validation.json")), as: UTF8.self)
    guard case .array(let folds)? = try JSON(parsing: text)["folds"] else {
      Issue.record("no folds in \(text)")
      return
    }
    #expect(folds.count == 3)
  }

  /// What does not fit on the disk is one line; the checkpoint before stays, and can be resumed.
  @Test func fullDiskLeavesTheCheckpoint() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 100, test: 20)
    _ = try run(workspace, "train lenet5 --data idx:data --epochs 1 --device cpu --out run -q")
    let weights = "run/checkpoints/last/weights.safetensors"
    let before = try #require(workspace.bytes(weights))
    let full = try Command.start(
      ["train", "--resume", "run", "--epochs", "2", "-q"], in: workspace.path,
      fileSizeLimit: 100
    ).wait()
    #expect(full.status == 73, "\(full.errors)")
    #expect(full.errors.contains("weights.safetensors") && full.errors.contains("cannot write"))
    #expect(workspace.bytes(weights) == before)
    _ = try run(workspace, "train --resume run --epochs 2 -q")
    #expect(workspace.bytes(weights) != before)
  }

  /// The order in which samples are prepared does not change what is computed.
  @Test func workersDoNotChangeTheLosses() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let losses = try ["1", "4"].map { workers in
      try run(
        workspace,
        "train mlp --data idx:data --epochs 2 --batch-size 16 --log-every 1 --log-format json "
          + "--device cpu --workers \(workers) --out run-\(workers)"
      ).split(separator: "\n").map { try JSON(parsing: String($0)) }.compactMap { $0["loss"] }
    }
    #expect(losses[0].count == 38)
    #expect(losses[0] == losses[1])
  }

  /// A value that overflows is named: the layer that computed it, not the parameters it spoiled.
  @Test func divergenceNamesTheTensor() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let result = try Command.run(
      ["train", "lenet5", "--data", "idx:data", "--lr", "1e30", "--device", "cpu", "--out", "run"],
      in: workspace.path)
    #expect(result.status == 3)
    #expect(result.errors.contains("step 2: the result of conv2d (conv"), "\(result.errors)")
  }
}
