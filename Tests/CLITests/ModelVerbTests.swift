import Foundation
import Tern
import TernTestSupport
import Testing

/// What is said of networks, and that a model file trains the same everywhere.
@Suite struct ModelVerbTests {
  private func json(_ arguments: String...) throws -> JSON {
    let result = try Command.run(arguments)
    #expect(result.status == 0, "\(result.errors)")
    return try JSON(parsing: result.output)
  }

  @Test func allNetworksAreListedWithTheirTasks() throws {
    guard case .array(let models)? = try json("models", "--json")["models"] else {
      Issue.record("no models")
      return
    }
    #expect(models.compactMap { $0["name"]?.stringValue } == ZooEntry.all.map(\.name))
    for key in ["input", "classes", "parameters", "source", "task"] {
      #expect(models.allSatisfy { $0[key] != nil }, "\(key)")
    }
    let table = try Command.run(["models"]).output
    #expect(table.hasPrefix("MODEL"))
    for word in ["TASK", "segmentation", "adversarial", "belief-network"] {
      #expect(table.contains(word), "\(word)")
    }
  }

  @Test func oneNetworkIsDescribed() throws {
    let vit = try json("models", "vit", "--json")
    #expect(vit["task"] == .string("classification"))
    #expect(vit["settings"]?["optimizer"] == .string("adamw"))
    #expect(vit["settings"]?["schedule"] == .string("cosine"))
    #expect(vit["source"]?.stringValue?.contains("Dosovitskiy") == true)
    let resnet = try json("models", "resnet18", "--json")
    #expect(resnet["parameters"] == .int(11_689_512))
    #expect(resnet["multiply_adds"] == .int(1_814_073_344))
    let text = try Command.run(["models", "resnet18"]).output
    for part in ["11,689,512", "1,814,073,344", "[3, 224, 224]", "--optimizer sgd --lr 0.03"] {
      #expect(text.contains(part), "\(text)")
    }
  }

  /// A summary says what training says: the plan, without what a driver takes for itself. Pictures that are turned go
  /// to the device as floats; those that are bytes lie there as bytes too, which a summary knows nothing of.
  @Test(arguments: TestDevices.ids) func theMemoryIsThePlans(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset()
    let summary = try json("summary", "lenet5", "--batch-size", "8", "--device", device, "--json")
    let start = try Command.run(
      [
        "train", "lenet5", "--data", "idx:data", "--batch-size", "8", "--device", device,
        "--augment", "rotate:5", "--dry-run", "--log-format", "json",
      ], in: workspace.path
    ).output.split(separator: "\n").first
    let planned = try JSON(parsing: String(try #require(start)))["plan_bytes"]
    #expect(planned?.intValue != nil && summary["train_peak_bytes"] == planned)
  }

  @Test func misspeltNamesAreCorrected() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for verb in ["models", "summary"] {
      try BadInput("\(verb) resnet81", 64, "unknown model 'resnet81'", "did you mean 'resnet18'?")
        .check(in: workspace)
    }
    try BadInput("models gone.yaml", 66, "gone.yaml: no such file").check(in: workspace)
  }

  private static let file = """
    input: [1, 28, 28]
    classes: 10
    init: he
    layers:
      - conv2d: {out_channels: 8, kernel_size: 5, stride: 2, bias: false}
      - batch_norm
      - relu
      - dropout: {p: 0.2}
      - max_pool2d: {kernel_size: 2}
      - flatten
      - dropout: {p: 0.5}
      - linear: {name: head, out_features: 10}
    """

  /// Shuffled samples, dropout and momentum: what is random depends on the seed alone.
  @Test func aFileTrainsTheSameOnCPUAndOpenCL() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 96, test: 10)
    try workspace.write("net.yaml", Self.file)
    let losses = try TestDevices.fast.map { device in
      let result = try Command.run(
        [
          "train", "net.yaml", "--data", "idx:data", "--steps", "10", "--batch-size", "16",
          "--momentum", "0.9", "--log-every", "1", "--log-format", "json", "--device", device,
          "--out", "run-\(device.count)",
        ], in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
      return try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
        .filter { $0["event"] == .string("step") }.compactMap { $0["loss"]?.doubleValue }
    }
    #expect(losses.allSatisfy { $0.count == 10 })
    #expect(Set(losses[0]).count == 10)
    for other in losses.dropFirst() {
      for (cpu, opencl) in zip(losses[0], other) {
        #expect(abs(cpu - opencl) <= 1e-4 * abs(cpu), "\(cpu), \(opencl)")
      }
    }
  }

  /// A run keeps its model file: what becomes of the one that it was begun with does not matter.
  @Test func aRunKeepsItsModelFile() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 32, test: 10)
    try workspace.write("net.yaml", Self.file)
    func run(_ arguments: String) throws -> String {
      let result = try Command.run(
        arguments.split(separator: " ").map(String.init), in: workspace.path)
      #expect(result.status == 0, "\(arguments): \(result.errors)")
      return result.output
    }
    let settings = "--data idx:data --batch-size 16 --device cpu"
    _ = try run("train net.yaml \(settings) --epochs 2 --schedule constant --out whole -q")
    _ = try run("train net.yaml \(settings) --epochs 1 --schedule constant --out parts -q")
    try FileManager.default.removeItem(atPath: workspace.file("net.yaml"))
    _ = try run("train --resume parts --epochs 2 -q")
    let weights = "checkpoints/last/weights.safetensors"
    #expect(workspace.bytes("parts/\(weights)") == workspace.bytes("whole/\(weights)"))
    #expect(try run("predict parts --index 3 --top 1").contains("3 (is 3)"))
    #expect(try JSON(parsing: run("test parts --json"))["samples"] == .int(10))
    #expect(workspace.bytes("parts/model/net.yaml") == Data(Self.file.utf8))
  }
}
