import Foundation
import Tern
import Testing

/// A name that Tern does not know, misspelt or from another library, is answered by the one it has.
@Suite struct SuggestionTests {
  @Test(arguments: [
    ("trian lenet5 --data x", "train"), ("fit lenet5", "train"), ("eval run", "test"),
    ("infer run x.png", "predict"), ("benchmark", "bench"), ("lr_find lenet5", "lr-find"),
    ("bench modle lenet5", "model"), ("data previw", "preview"), ("data show", "preview"),
  ])
  func verbs(line: String, name: String) throws {
    try expectProposal(line, unknown: "command", name: name)
  }

  @Test(arguments: [
    ("train lenet5 --amp", "--precision"), ("train lenet5 --fp16", "--precision"),
    ("train lenet5 --learning-rate 0.1", "--lr"), ("train lenet5 --base_lr=0.1", "--lr"),
    ("train lenet5 --wd 1e-4", "--weight-decay"), ("train lenet5 --batch 8", "--batch-size"),
    ("train lenet5 --bs 8", "--batch-size"), ("train lenet5 --epoch 3", "--epochs"),
    ("train lenet5 --num_epochs 3", "--epochs"), ("train lenet5 --max-iter 9", "--steps"),
    ("train lenet5 --sched cosine", "--schedule"), ("train lenet5 --opt adam", "--optimizer"),
    ("train lenet5 --grad-clip 1", "--clip-grad"), ("train lenet5 --imgsz 32", "--image-size"),
    ("train lenet5 --pretrained w", "--init"), ("train lenet5 --num-workers 2", "--workers"),
    ("train lenet5 --gpu 0", "--device"), ("train lenet5 --output-dir r", "--out"),
    ("train lenet5 --log-interval 5", "--log-every"), ("train lenet5 --shuffle", "--no-shuffle"),
    ("train lenet5 --snapshot 5", "--save-every"), ("train lenet5 --optimiser adam", "--optimizer"),
    ("predict run x.png --topk 3", "--top"), ("test run --batch 3", "--batch-size"),
    ("bench --suit x", "--suite"), ("test --model m --checkpoint_path x", "--checkpoint"),
  ])
  func flags(line: String, name: String) throws {
    try expectProposal(line, unknown: "option", name: name)
  }

  /// A flag of another verb is not proposed.
  @Test func onlyWhatTheVerbHas() throws {
    let result = try Command.run(["devices", "--amp"])
    #expect(result.status == 64)
    #expect(result.errors.hasPrefix("Error: Unknown option '--amp'\n"), "\(result.errors)")
  }

  private func expectProposal(_ line: String, unknown: String, name: String) throws {
    let result = try Command.run(line.split(separator: " ").map(String.init))
    let lines = result.errors.split(separator: "\n")
    #expect(result.status == 64 && result.output.isEmpty, "\(line): \(result.errors)")
    #expect(
      lines.first.map { $0.hasPrefix("Error: Unknown \(unknown) '") } == true, "\(result.errors)")
    #expect(lines.first?.hasSuffix(". Did you mean '\(name)'?") == true, "\(result.errors)")
    #expect(lines.count >= 2 && lines[1].hasPrefix("Usage: tern"), "\(result.errors)")
  }

  @Test(arguments: [
    ("maxpool", "max_pool2d"), ("MaxPool2d: {kernel_size: 2}", "max_pool2d"),
    ("MaxPooling2D", "max_pool2d"), ("GlobalAveragePooling2D", "adaptive_avg_pool2d"),
    ("Dense: {out_features: 2}", "linear"), ("fc", "linear"), ("InnerProduct", "linear"),
    ("BatchNorm2d", "batch_norm"), ("bn", "batch_norm"), ("ReLU", "relu"),
    ("LRN", "local_response_norm"),
    ("Convolution", "conv2d"), ("Deconvolution", "conv_transpose2d"), ("upsample", "interpolate"),
    ("swish", "silu"), ("concat", "concatenation"), ("droput", "dropout"),
    ("conv2d: {kernel: 5, out_channels: 2}", "kernel_size"),
    ("conv2d: {kernel_size: 5, filters: 2}", "out_channels"),
    ("conv2d: {kernel_size: 5, num_output: 2}", "out_channels"),
    ("conv2d: {kernel_size: 5, out_channels: 2, pad: 1}", "padding"),
    ("conv2d: {kernel_size: 5, out_channels: 2, strides: 1}", "stride"),
    ("conv2d: {kernel_size: 5, out_channels: 2, use_bias: true}", "bias"),
    ("linear: {units: 5}", "out_features"), ("dropout: {rate: 0.5}", "p"),
    ("max_pool2d: {pool_size: 2}", "kernel_size"), ("lstm: {units: 2}", "hidden_size"),
  ])
  func layers(layer: String, name: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write(
      "net.yaml", "input: [1, 8, 8]\nclasses: 2\nlayers:\n  - \(layer)\n")
    let result = try Command.run(
      ["summary", "net.yaml", "--device", "reference"], in: workspace.path)
    #expect(result.status == 65, "\(layer): \(result.errors)")
    #expect(result.errors.contains("did you mean '\(name)'?"), "\(layer): \(result.errors)")
    #expect(result.errors.contains("net.yaml:4"), "\(layer): \(result.errors)")
  }

  @Test func settingsAndModels() throws {
    for (line, name) in [
      ("--set learning_rate=0.1", "lr"), ("--set wd=0.1", "weight_decay"),
      ("--set num_workers=2", "workers"), ("--optimizer AdamW", "adamw"),
      ("--schedule CosineAnnealingLR", "cosine"), ("--schedule onecycle", "one-cycle"),
    ] {
      let result = try Command.run(
        ["train", "lenet5", "--data", "mnist"] + line.split(separator: " ").map(String.init))
      #expect(result.status == 64, "\(line): \(result.errors)")
      #expect(result.errors.contains("'\(name)'"), "\(line): \(result.errors)")
    }
    let result = try Command.run(["summary", "ResNet-18"])
    #expect(result.status == 64 && result.errors.contains("did you mean 'resnet18'?"))
  }

  /// Version, commit and libraries, a line each; the commit is the one that is checked out, where the
  /// sources are a git repository.
  @Test func version() throws {
    let result = try Command.run(["--version"])
    #expect(result.status == 0 && result.errors.isEmpty)
    let lines = result.output.split(separator: "\n").map {
      $0.split(separator: " ").map(String.init)
    }
    #expect(lines.count >= 8)
    #expect(lines.first == ["tern", TernRelease.version])
    for name in ["oneDNN", "CLBlast", "zlib", "libpng"] {
      let version = lines.first { $0.first == name }?.last ?? ""
      #expect(version.contains(".") && version.first?.isNumber == true, "\(name) \(version)")
    }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path
    let git = try Command.shell("git rev-parse HEAD", in: root)
    let commit = git.output.trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(lines[1] == ["commit", git.status == 0 ? commit : "unknown"])
  }
}
