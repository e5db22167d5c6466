import Foundation
import Tern
import Testing

/// Training that starts from the weights of another network.
@Suite struct FineTuningTests {
  /// Weights as torchvision names them, of a network for 100 classes, with what Tern has no use for.
  private func writeWeights(in workspace: Workspace) throws -> [String: HostTensor] {
    var tensors = try Model.named("resnet20", inputShape: [1, 28, 28], classCount: 100)
      .initialValues(seed: 7)
    // Statistics of other data.
    tensors["bn1.running_mean"] = HostTensor(repeating: 0.25, [16])
    tensors["bn1.num_batches_tracked"] = HostTensor([], [Int32(1000)])
    tensors["classifier.weight"] = HostTensor(repeating: 1, [2])
    tensors["layer3.2.bn2.bias"] = nil
    try Safetensors(tensors: tensors).encoded().write(
      to: URL(fileURLWithPath: workspace.file("pretrained.safetensors")))
    return tensors
  }

  @Test func loadsWhatFitsAndKeepsWhatIsFrozen() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 64, test: 20)
    let given = try writeWeights(in: workspace)
    let result = try Command.run(
      [
        "train", "resnet20", "--data", "idx:data", "--epochs", "1", "--batch-size", "16",
        "--weight-decay", "0.01", "--device", "cpu", "--init", "pretrained.safetensors",
        "--freeze", "conv1,bn1,layer1,layer2,layer3", "--out", "run",
      ], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    let notes = result.errors.split(separator: "\n").filter { $0.hasPrefix("init: ") }.map {
      String($0.dropFirst("init: pretrained.safetensors: ".count))
    }
    #expect(
      notes == [
        "\(given.count - 4) of \(given.count - 1) tensors are loaded: conv1 1, bn1 4, layer1 30, "
          + "layer2 30, layer3 29 of 30",
        "layer3.2.bn2.bias [64] is not in the file",
        "fc.weight is float32[100, 64] in the file, float32[10, 64] in the model",
        "fc.bias is float32[100] in the file, float32[10] in the model",
        "classifier.weight is not in the model",
      ])
    let trained = try Safetensors(
      contentsOf: workspace.file("run/checkpoints/last/weights.safetensors")
    ).tensors
    let fresh = try Model.named("resnet20", inputShape: [1, 28, 28], classCount: 10)
      .initialValues(seed: 0)
    #expect(trained.keys.sorted() == fresh.keys.sorted())
    for (name, tensor) in trained {
      if name.hasPrefix("fc.") {
        #expect(tensor != fresh[name], "\(name)")
      } else {
        #expect(tensor == given[name] ?? fresh[name], "\(name)")
      }
    }
  }

  @Test func whatCannotBeIsOneLine() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 16, test: 10)
    _ = try writeWeights(in: workspace)
    let train = "train resnet20 --data idx:data --device cpu"
    for input in [
      BadInput(
        "\(train) --freeze layer9", 64, "freeze", "no parameter is called 'layer9'",
        "did you mean 'layer"),
      BadInput("\(train) --freeze conv1,bn1,layer1,layer2,layer3,fc", 64, "nothing is left"),
      BadInput(
        "train mlp --data idx:data --device cpu --init pretrained.safetensors", 65,
        "none of its tensors fits the model", "fc1.weight"),
    ] { try input.check(in: workspace) }
  }
}
