import Foundation
import Tern
import Testing

/// Forty-odd things that are wrong with what a user gives: each is one clear line on stderr, the
/// right exit code, nothing on stdout, and no run folder.
@Suite struct BadInputTests {
  private static let train = "train lenet5 --data idx:data"

  private static let flags = [
    BadInput("\(train) --accumulate 0", 64, "accumulate", "at least 1"),
    BadInput("\(train) --ema 1", 64, "ema", "between 0 and 1"),
    BadInput("\(train) --l1=-1", 64, "l1"),
    BadInput("\(train) --l2 inf", 64, "l2"),
    BadInput("\(train) --decoupled-decay", 64, "weight-decay"),
    BadInput("\(train) --class-weights 1,2,x", 64, "class-weights"),
    BadInput("\(train) --class-weights 1,2,3", 64, "class-weights", "10 numbers"),
    BadInput("\(train) --class-weights 0,0,0,0,0,0,0,0,0,0", 64, "class-weights"),
    BadInput("\(train) --schedule platau", 64, "plateau"),
    BadInput("\(train) --schedule multi-step", 64, "lr-milestones"),
    BadInput("\(train) --schedule multi-step --lr-milestones 4,2", 64, "ascending"),
    BadInput("\(train) --schedule step --lr-step 0", 64, "lr-step"),
    BadInput("\(train) --schedule plateau --lr-patience 0", 64, "lr-patience"),
    BadInput("\(train) --lr-gamma 2", 64, "lr-gamma"),
    BadInput("\(train) --lr 0.1 --lr-min 1", 64, "lr-min"),
    BadInput("\(train) --schedule one-cycle --warmup-epochs 1", 64, "warmup-epochs"),
    BadInput("\(train) --folds 0", 64, "folds"),
    BadInput("\(train) --folds 1000", 64, "folds", "300 samples"),
    BadInput("\(train) --folds 3 --validation-split 0.2", 64, "folds"),
    BadInput("\(train) --monitor val_loss", 64, "monitor"),
    BadInput("\(train) --label-smoothing 1", 64, "label-smoothing"),
    BadInput("\(train) --clip-grad 0", 64, "clip-grad"),
    BadInput("\(train) --patience 0", 64, "patience"),
    BadInput("\(train) --workers 0", 64, "workers"),
    BadInput("\(train) --optimizer adam --momentum 0.9", 64, "adam"),
    BadInput("\(train) --set lr=fast", 64, "lr"),
    BadInput("\(train) --set wieght_decay=1", 64, "weight_decay"),
  ]

  private static let verbs = [
    BadInput("lr-find lenet5", 64, "which data"),
    BadInput("lr-find lenet5 --data idx:data --lowest 1 --highest 0.1", 64, "lowest"),
    BadInput("lr-find lenet5 --data idx:data --points 1", 64, "points"),
    BadInput("predict nowhere --index 0", 66, "nowhere"),
    BadInput("export nowhere --out w.npz", 66, "nowhere"),
    BadInput("import bad.safetensors --model lenet5 --out w.safetensors", 65, "bad.safetensors"),
    BadInput("import gone.safetensors --model lenet5 --out w.safetensors", 66, "gone"),
    BadInput("import empty.safetensors --model lenet5 --out w.safetensors", 65, "conv1.weight"),
    BadInput("sweep gone.yaml", 66, "gone.yaml"),
    BadInput("plot nowhere", 66, "nowhere"),
    BadInput("test nowhere --checkpoint best", 66, "nowhere"),
  ]

  private static let files = [
    BadInput("\(train) --config list.yaml", 65, "list.yaml", "map"),
    BadInput("train --config unknown.yaml", 64, "epochs"),
    BadInput("train huge.yaml --data idx:data", 65, "huge.yaml:6", "2^44"),
    BadInput("train attribute.yaml --data idx:data", 65, "attribute.yaml:4", "stride"),
    BadInput("train classes.yaml --data idx:data", 65, "classes.yaml"),
    BadInput("train memory.yaml --data idx:data --batch-size 256", 1, "batch", "largest"),
    BadInput("train lenet5 --data idx:empty", 65, "empty"),
    BadInput("train lenet5 --data idx:garbage", 65, "garbage"),
    BadInput("sweep nothing.yaml", 65, "nothing.yaml", "parameters"),
    BadInput("sweep method.yaml", 65, "method.yaml", "grid"),
    BadInput("sweep range.yaml", 65, "range.yaml", "lr"),
    BadInput("sweep setting.yaml", 65, "setting.yaml", "epochs"),
  ]

  private func makeFiles(in workspace: Workspace) throws {
    try workspace.writeDataset()
    try workspace.write("bad.safetensors", "not a safetensors file")
    try Safetensors().encoded().write(to: URL(fileURLWithPath: workspace.file("empty.safetensors")))
    try workspace.write("list.yaml", "- 1\n- 2\n")
    try workspace.write("unknown.yaml", "model: lenet5\ndata: idx:data\nepoch: 3\n")
    func model(_ name: String, classes: Int = 10, _ layers: String...) throws {
      try workspace.write(
        name,
        "input: [1, 28, 28]\nclasses: \(classes)\nlayers:\n"
          + layers.map { "  - \($0)\n" }.joined())
    }
    try model(
      "huge.yaml", "conv2d: {out_channels: 2000000000, kernel_size: 28}", "flatten",
      "linear: {out_features: 2000000000}")
    try model("attribute.yaml", "conv2d: {out_channels: 2, kernel_size: 3, strid: 2}")
    try model("classes.yaml", classes: 7, "flatten", "linear: {out_features: 7}")
    try model(
      "memory.yaml", "conv2d: {out_channels: 90000, kernel_size: 5, padding: 2}", "relu",
      "adaptive_avg_pool2d: {output_size: 1}", "flatten", "linear: {out_features: 10}")
    for (name, content) in [("empty", Data()), ("garbage", Data(repeating: 7, count: 5000))] {
      let folder = workspace.file(name)
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for set in ["train", "t10k"] {
        for kind in ["images-idx3", "labels-idx1"] {
          try content.write(to: URL(fileURLWithPath: "\(folder)/\(set)-\(kind)-ubyte"))
        }
      }
    }
    let shared = "settings: {model: lenet5, data: 'idx:data'}\n"
    try workspace.write("nothing.yaml", shared)
    try workspace.write("method.yaml", shared + "method: gird\nparameters: {lr: [0.1]}\n")
    try workspace.write("range.yaml", shared + "parameters: {lr: {min: 1, max: 0.1}}\n")
    try workspace.write("setting.yaml", shared + "parameters: {epoch: [1, 2]}\n")
  }

  @Test func eachIsOneClearLine() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try makeFiles(in: workspace)
    let all = Self.flags + Self.verbs + Self.files
    #expect(all.count >= 40)
    for input in all { try input.check(in: workspace) }
    #expect(!FileManager.default.fileExists(atPath: workspace.file("runs")))
  }
}
