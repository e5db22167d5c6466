import Foundation
import Tern
import Testing

/// Bad input gives one clear line and the right exit code, and leaves nothing behind.
@Suite struct ErrorTests {
  private func expectFailure(
    _ arguments: [String], in workspace: Workspace, status: Int32, _ fragments: String...,
    environment: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try Command.run(arguments, in: workspace.path, environment: environment)
    #expect(
      result.status == status, "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    #expect(result.output.isEmpty, sourceLocation: sourceLocation)
    for fragment in fragments {
      #expect(
        result.errors.contains(fragment), "\(arguments): \(result.errors)",
        sourceLocation: sourceLocation)
    }
    if status != 64 || result.errors.hasPrefix("tern: error:") {
      #expect(
        result.errors.split(separator: "\n").count == 1, "\(result.errors)",
        sourceLocation: sourceLocation)
    }
    #expect(
      !FileManager.default.fileExists(atPath: workspace.file("runs")),
      sourceLocation: sourceLocation)
  }

  @Test func usage() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let train = ["train", "lenet5", "--data", "idx:data"]
    try expectFailure(["frobnicate"], in: workspace, status: 64)
    try expectFailure(["train", "--frobnicate"], in: workspace, status: 64)
    try expectFailure(["train"], in: workspace, status: 64, "which model")
    try expectFailure(["train", "lenet5"], in: workspace, status: 64, "which data")
    try expectFailure(
      ["train", "lenet6", "--data", "idx:data"], in: workspace, status: 64, "lenet5")
    try expectFailure(
      ["train", "lenet5", "--data", "imagenet"], in: workspace, status: 64, "imagenet")
    try expectFailure(["train", "lenet5", "--data", "idx"], in: workspace, status: 64, "idx:DIR")
    try expectFailure(train + ["--batch-size", "0"], in: workspace, status: 64, "batch-size")
    try expectFailure(train + ["--batch-size", "x"], in: workspace, status: 64)
    try expectFailure(train + ["--epochs", "0"], in: workspace, status: 64, "epochs")
    try expectFailure(train + ["--lr", "-1"], in: workspace, status: 64, "lr")
    try expectFailure(train + ["--lr", "nan"], in: workspace, status: 64, "lr")
    try expectFailure(train + ["--optimizer", "sdg"], in: workspace, status: 64, "sgd")
    try expectFailure(train + ["--schedule", "cosin"], in: workspace, status: 64, "cosine")
    try expectFailure(train + ["--device", "tpu"], in: workspace, status: 64, "tpu")
    try expectFailure(train + ["--set", "epoch=3"], in: workspace, status: 64, "epochs")
    try expectFailure(train + ["--set", "epochs"], in: workspace, status: 64, "key=value")
    try expectFailure(train + ["--normalize", "1"], in: workspace, status: 64, "normalize")
    try expectFailure(train + ["--threads", "0"], in: workspace, status: 64, "threads")
    try expectFailure(train + ["--precision", "fp8"], in: workspace, status: 64, "tf32")
    for (precision, message) in [
      ("tf32", "fp32 or bf16 or fp16, not in tf32"), ("fp16", "--force-precision"),
    ] {
      try expectFailure(
        train + ["--precision", precision, "--device", "cpu"], in: workspace, status: 64,
        "precision", message)
    }
    try expectFailure(
      ["verify", "--precision", "tf32", "--device", "reference"], in: workspace, status: 64,
      "precision", "not in tf32")
    try expectFailure(["test"], in: workspace, status: 64, "test what")
    try expectFailure(["summary", "lenet5", "--input", "1,x"], in: workspace, status: 64, "input")
    try expectFailure(["verify", "--op", "conv9d"], in: workspace, status: 64, "conv9d")
  }

  @Test func missingAndDamagedInput() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let train = ["train", "lenet5", "--data", "idx:data"]
    try expectFailure(
      ["train", "lenet5", "--data", "idx:nowhere"], in: workspace, status: 66, "nowhere")
    try expectFailure(
      ["train", "net.yaml", "--data", "idx:data"], in: workspace, status: 66, "net.yaml")
    try expectFailure(["train", "--resume", "runs-x"], in: workspace, status: 66, "runs-x")
    try expectFailure(train + ["--config", "no.yaml"], in: workspace, status: 66, "no.yaml")
    try expectFailure(
      train + ["--init", "no.safetensors"], in: workspace, status: 66, "no.safetensors")
    try expectFailure(["test", "runs-x"], in: workspace, status: 66, "runs-x")
    try expectFailure(["verify", "--cases", "nowhere"], in: workspace, status: 66, "nowhere")

    try workspace.write("bad.safetensors", "not a safetensors file")
    try expectFailure(
      train + ["--init", "bad.safetensors"], in: workspace, status: 65, "bad.safetensors")
    try workspace.write(
      "bad.yaml", "name: x\ninput: [1, 28, 28]\nclasses: 10\nlayers:\n  - conv3d: {}\n")
    try expectFailure(
      ["train", "bad.yaml", "--data", "idx:data"], in: workspace, status: 65, "bad.yaml:5", "conv")
    try workspace.write("broken.yaml", "layers: [")
    try expectFailure(["summary", "broken.yaml"], in: workspace, status: 65, "broken.yaml")
    try workspace.write(
      "misfit.yaml",
      "input: [1, 28, 28]\nclasses: 10\nlayers:\n  - conv2d: {out_channels: 4, kernel_size: 40}\n")
    try expectFailure(
      ["summary", "misfit.yaml"], in: workspace, status: 65, "misfit.yaml:4", "conv2d_0")
    let images = workspace.bytes("data/train-images-idx3-ubyte")!
    try images.dropLast(100).write(
      to: URL(fileURLWithPath: workspace.file("data/train-images-idx3-ubyte")))
    try expectFailure(train, in: workspace, status: 65, "train-images-idx3-ubyte", "truncated")
  }

  @Test func unwritableRunDirectory() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    try workspace.write("file", "in the way")
    try expectFailure(
      ["train", "lenet5", "--data", "idx:data", "--out", "file/run"], in: workspace, status: 73,
      "file/run")
    #expect(workspace.bytes("file") == Data("in the way".utf8))
  }

  private static var firstOpenCLDevice: DeviceInfo? {
    DeviceCatalog.standard.devices.first { $0.backend == "opencl" }
  }

  /// GPUs may have tensor cores.
  @Test(.enabled(if: firstOpenCLDevice?.kind != .gpu))
  func aPrecisionThatTheDeviceLacks() throws {
    let device = try #require(Self.firstOpenCLDevice)
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    for verb in [["train", "lenet5", "--data", "idx:data"], ["verify"], ["bench", "gemm"]] {
      try expectFailure(
        verb + ["--device", device.id, "--precision", "tf32"], in: workspace, status: 69, "tf32",
        device.id, "tensor cores")
    }
  }

  /// Without an OpenCL platform everything but OpenCL works.
  @Test func noOpenCLPlatform() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    try FileManager.default.createDirectory(
      atPath: workspace.file("vendors"), withIntermediateDirectories: true)
    let environment = ["OCL_ICD_VENDORS": workspace.file("vendors")]
    try expectFailure(
      ["train", "lenet5", "--data", "idx:data", "--device", "opencl"], in: workspace, status: 69,
      "opencl", environment: environment)
    let standIn = try Command.run(
      [
        "train", "lenet5", "--data", "idx:data", "--device", "opencl", "--allow-fallback",
        "--dry-run",
      ], in: workspace.path, environment: environment)
    #expect(standIn.status == 0, "\(standIn.errors)")
    #expect((standIn.output + standIn.errors).contains("no opencl device"))
    let devices = try Command.run(["devices"], in: workspace.path, environment: environment)
    #expect(devices.status == 0)
    #expect(devices.output.contains("auto takes cpu"))
    let run = try Command.run(
      ["train", "lenet5", "--data", "idx:data", "--epochs", "1", "--out", "run"],
      in: workspace.path, environment: environment)
    #expect(run.status == 0, "\(run.errors)")
  }

  @Test func divergence() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let result = try Command.run(
      [
        "train", "lenet5", "--data", "idx:data", "--lr", "1e30", "--log-every", "1", "--out", "run",
        "--log-format", "json",
      ],
      in: workspace.path)
    #expect(result.status == 3)
    #expect(result.errors.contains("not finite"))
    #expect(result.output.contains(#""reason":"diverged""#))
    // The last good checkpoint stays.
    #expect(throws: Never.self) {
      try Checkpoint(contentsOf: workspace.file("run/checkpoints/last"))
    }
  }
}
