import Foundation
import Tern
import Testing

/// Nets and solvers of Caffe's on the command line.
@Suite struct CaffeRunTests {
  private static let cases =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/FormatCases/caffe/"

  private func workspace() throws -> Workspace {
    let workspace = try Workspace()
    try workspace.writeDataset()
    try FileManager.default.createDirectory(
      atPath: workspace.file("models"), withIntermediateDirectories: true)
    for name in ["digits_train_test.prototxt", "digits_solver.prototxt"] {
      try FileManager.default.copyItem(
        atPath: Self.cases + name, toPath: workspace.file("models/" + name))
    }
    return workspace
  }

  private func run(_ workspace: Workspace, _ arguments: String) throws -> Command.Result {
    try Command.run(arguments.split(separator: " ").map(String.init), in: workspace.path)
  }

  @Test(arguments: TestDevices.fast)
  func aSolverTrains(device: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let solver = "train --solver models/digits_solver.prototxt --data idx:data --device \(device)"
    let trained = try run(workspace, "\(solver) --out run")
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.errors.contains("left to Tern: test_iter"), "\(trained.errors)")
    let settings = try YAML.map(ofFile: workspace.file("run/config.yaml"))
    for (name, value) in [
      ("steps", AttributeValue.int(12)), ("batch_size", .int(20)), ("lr", .double(0.01)),
      ("schedule", .string("inverse")), ("lr_unit", .string("step")), ("lr_power", .double(0.75)),
      ("momentum", .double(0.9)), ("weight_decay", .double(0.0005)),
    ] {
      #expect(settings[name] == value, "\(name)")
    }
    // The run has the net with it.
    try FileManager.default.removeItem(atPath: workspace.file("models"))
    let tested = try run(workspace, "test run --device \(device) --json")
    #expect(tested.status == 0, "\(tested.errors)")
    #expect(try JSON(parsing: tested.output)["samples"] == .int(60))
    let exported = try run(workspace, "export run --out net.onnx")
    #expect(exported.status == 0 && exported.output.contains("images → ip2"), "\(exported.errors)")
  }

  @Test func flagsComeBeforeTheSolver() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let trained = try run(
      workspace,
      "train --solver models/digits_solver.prototxt --data idx:data --device cpu --out run --steps 3 --lr 0.5 -q"
    )
    #expect(trained.status == 0, "\(trained.errors)")
    let settings = try YAML.map(ofFile: workspace.file("run/config.yaml"))
    #expect(settings["steps"] == .int(3) && settings["lr"] == .double(0.5))
  }

  @Test func netsAreModels() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let net = "models/digits_train_test.prototxt"
    let summary = try run(workspace, "summary \(net) --input 1,28,28 --device cpu")
    #expect(summary.status == 0, "\(summary.errors)")
    #expect(
      summary.output.contains("Convolution") && summary.output.contains("21,166"),
      "\(summary.output)")
    let open = try run(workspace, "summary \(net) --device cpu")
    #expect(open.status == 65 && open.errors.contains("--input C,H,W"), "\(open.errors)")
    try workspace.write("bad.prototxt", "name: 'x'\nlayer { name: 'y' type: 'Sofmax' top: 'z' }\n")
    for command in [
      "summary bad.prototxt --input 1,8,8", "train bad.prototxt --data idx:data",
      "train --solver bad.prototxt --data idx:data",
    ] {
      let failed = try run(workspace, command)
      #expect(failed.status == 65 && failed.errors.contains("bad.prototxt:"), "\(failed.errors)")
      #expect(failed.errors.split(separator: "\n").count == 1, "\(failed.errors)")
    }
  }

  /// The databases that a net's layers of data name are what it is trained on.
  @Test(arguments: TestDevices.fast)
  func theDatabasesOfANetAreItsData(device: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    try write(workspace, "models/train_lmdb", 90)
    try write(workspace, "models/test_lmdb", 30)
    let solver = "train --solver models/digits_solver.prototxt --device \(device)"
    let trained = try run(workspace, "\(solver) --out run")
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(
      trained.errors.contains("training 90 (models/train_lmdb), test 30 (models/test_lmdb)"),
      "\(trained.errors)")
    let tested = try run(workspace, "test run --device \(device) --json")
    #expect(try JSON(parsing: tested.output)["samples"] == .int(30), "\(tested.errors)")
    let other = try run(workspace, "\(solver) --data idx:data --out other -q")
    #expect(other.status == 0, "\(other.errors)")
    try FileManager.default.removeItem(atPath: workspace.file("models/test_lmdb"))
    let missing = try run(workspace, "\(solver) --out missing")
    #expect(missing.status == 66 && missing.errors.contains("'test_lmdb'"), "\(missing.errors)")
  }

  private func write(
    _ workspace: Workspace, _ name: String, _ count: Int, shape: [Int] = [1, 28, 28]
  ) throws {
    let size = shape.reduce(1, *)
    try LMDBWriter.write(
      (0..<count).map { number in
        let bytes = (0..<size).map {
          UInt8(truncatingIfNeeded: $0 * 31 / 7 * (number % 2 + 1) + number)
        }
        return (
          String(format: "%08d", number), LMDBWriter.datum(shape, bytes, label: number % 2)
        )
      }, to: workspace.file(name))
  }

  /// An autoencoder whose net has two losses, one of them without a weight, and fillers of few weights.
  private static let autoencoder = """
    name: "Autoencoder"
    layer { name: "data" type: "Data" top: "data" include { phase: TRAIN }
      transform_param { scale: 0.0039215684 }
      data_param { source: "train_lmdb" batch_size: 10 backend: LMDB } }
    layer { name: "data" type: "Data" top: "data" include { phase: TEST stage: "test-on-train" }
      transform_param { scale: 0.0039215684 }
      data_param { source: "train_lmdb" batch_size: 10 backend: LMDB } }
    layer { name: "data" type: "Data" top: "data" include { phase: TEST }
      transform_param { scale: 0.0039215684 }
      data_param { source: "test_lmdb" batch_size: 10 backend: LMDB } }
    layer { name: "flatdata" type: "Flatten" bottom: "data" top: "flatdata" }
    layer { name: "encode1" type: "InnerProduct" bottom: "data" top: "encode1"
      param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 1 decay_mult: 0 }
      inner_product_param { num_output: 20 weight_filler { type: "gaussian" std: 1 sparse: 15 }
        bias_filler { type: "constant" value: 0 } } }
    layer { name: "encode1neuron" type: "Sigmoid" bottom: "encode1" top: "encode1neuron" }
    layer { name: "decode1" type: "InnerProduct" bottom: "encode1neuron" top: "decode1"
      inner_product_param { num_output: 784 weight_filler { type: "gaussian" std: 1 sparse: 15 } } }
    layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "decode1" bottom: "flatdata"
      top: "cross_entropy_loss" loss_weight: 1 }
    layer { name: "decode1neuron" type: "Sigmoid" bottom: "decode1" top: "decode1neuron" }
    layer { name: "loss" type: "EuclideanLoss" bottom: "decode1neuron" bottom: "flatdata"
      top: "l2_error" loss_weight: 0 }
    """

  /// Two halves of a picture through layers of the same parameters.
  private static let siamese = """
    name: "Siamese"
    layer { name: "pair_data" type: "Data" top: "pair_data" top: "sim"
      transform_param { scale: 0.00390625 }
      data_param { source: "train_lmdb" batch_size: 10 backend: LMDB } }
    layer { name: "slice_pair" type: "Slice" bottom: "pair_data" top: "data" top: "data_p"
      slice_param { slice_dim: 1 slice_point: 1 } }
    HALVES
    layer { name: "loss" type: "ContrastiveLoss" bottom: "feat" bottom: "feat_p" bottom: "sim" top: "loss"
      contrastive_loss_param { margin: 1 } }
    """

  private static func half(_ end: String) -> String {
    """
    layer { name: "conv1\(end)" type: "Convolution" bottom: "data\(end)" top: "conv1\(end)"
      param { name: "conv1_w" lr_mult: 1 } param { name: "conv1_b" lr_mult: 2 }
      convolution_param { num_output: 4 kernel_size: 5 stride: 2 weight_filler { type: "xavier" } } }
    layer { name: "relu1\(end)" type: "ReLU" bottom: "conv1\(end)" top: "conv1\(end)" }
    layer { name: "feat\(end)" type: "InnerProduct" bottom: "conv1\(end)" top: "feat\(end)"
      param { name: "feat_w" lr_mult: 1 } param { name: "feat_b" lr_mult: 2 }
      inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }

    """
  }

  @Test(arguments: TestDevices.fast)
  func netsWithLossesOfTheirOwnTrain(device: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    try write(workspace, "train_lmdb", 60)
    try write(workspace, "test_lmdb", 20)
    try write(workspace, "pairs/train_lmdb", 60, shape: [2, 28, 28])
    try workspace.write("auto.prototxt", Self.autoencoder)
    try workspace.write(
      "pairs/siamese.prototxt",
      Self.siamese.replacing("HALVES", with: Self.half("") + Self.half("_p")))
    for (net, loss, other) in [
      ("auto.prototxt", "cross_entropy_loss", "l2_error"), ("pairs/siamese.prototxt", "loss", ""),
    ] {
      let folder = net.contains("/") ? "pairs" : "."
      let name = net.split(separator: "/").last!
      let trained = try Command.run(
        [
          "train", String(name), "--epochs", "12", "--optimizer", "adam", "--lr", "0.01",
          "--device", device, "--seed", "1", "--out", "run", "--log-format", "json",
        ], in: workspace.file(folder))
      #expect(trained.status == 0, "\(net): \(trained.errors)")
      let epochs = try trained.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
        .filter { $0["event"] == .string("epoch") }
      let losses = epochs.compactMap { $0["test_loss"]?.doubleValue }
      #expect(losses.count == 12 && losses.last! < 0.9 * losses.first!, "\(net) \(loss): \(losses)")
      if !other.isEmpty {
        #expect(trained.output.contains(other), "\(trained.output.prefix(2000))")
      }
    }
    let summary = try run(workspace, "summary pairs/siamese.prototxt --input 2,28,28 --device cpu")
    // Both halves have the same parameters: 4 · 25 + 4, and 2 · 4 · 144 + 2.
    #expect(
      summary.status == 0 && summary.output.contains("1,258"), "\(summary.output)\(summary.errors)")
    let again = try run(workspace, "test run --device \(device) --json")
    #expect(again.status == 0, "\(again.errors)")
  }

  /// Two inputs and two labels, each an array of its own.
  @Test(arguments: TestDevices.fast)
  func netsOfSeveralInputsTrain(device: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    try workspace.write(
      "two.prototxt",
      """
      name: "Two"
      layer { name: "l" type: "Input" top: "left" top: "kind" top: "sum"
        input_param { shape { dim: 8 dim: 3 } shape { dim: 8 } shape { dim: 8 dim: 1 } } }
      layer { name: "r" type: "Input" top: "right" input_param { shape { dim: 8 dim: 2 } } }
      layer { name: "both" type: "Concat" bottom: "left" bottom: "right" top: "both" }
      layer { name: "scores" type: "InnerProduct" bottom: "both" top: "scores"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
      layer { name: "value" type: "InnerProduct" bottom: "both" top: "value"
        inner_product_param { num_output: 1 weight_filler { type: "xavier" } } }
      layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "kind" top: "loss" }
      layer { name: "distance" type: "EuclideanLoss" bottom: "value" bottom: "sum" top: "distance" }
      """)
    let count = 64
    let left = (0..<3 * count).map { Float(($0 * 37) % 17) / 17 - 0.5 }
    let right = (0..<2 * count).map { Float(($0 * 29) % 13) / 13 - 0.5 }
    let sums = (0..<count).map { left[3 * $0] + right[2 * $0] }
    let arrays: [String: HostTensor] = [
      "left": HostTensor([count, 3], left), "right": HostTensor([count, 2], right),
      "kind": HostTensor([count], sums.map { Int32($0 > 0 ? 1 : 0) }),
      "sum": HostTensor([count, 1], sums),
    ]
    func write(_ arrays: [String: HostTensor]) throws {
      let parts = arrays.flatMap { name, value in
        [("\(name)_train", value), ("\(name)_test", value)]
      }
      try NPZWriter.encoded(Dictionary(uniqueKeysWithValues: parts))
        .write(to: URL(fileURLWithPath: workspace.file("x.npz")))
    }
    try write(arrays)
    let trained = try run(
      workspace,
      "train two.prototxt --data npz:x.npz --target kind --normalize none --epochs 60 --lr 0.5 --batch-size 16 --device \(device) --out run --log-format json"
    )
    #expect(trained.status == 0, "\(trained.errors)")
    let epochs = try trained.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
      .filter { $0["event"] == .string("epoch") }
    let losses = epochs.compactMap { $0["test_loss"]?.doubleValue }
    #expect(losses.count == 60 && losses.last! < 0.5 * losses.first!, "\(losses)")
    let tested = try run(workspace, "test run --device \(device) --json")
    #expect(tested.status == 0, "\(tested.errors)")
    // Other values of the second input are other data.
    try write(arrays.merging(["right": HostTensor([count, 2], right.map { $0 + 1 })]) { $1 })
    let other = try run(workspace, "train --resume run --epochs 61 --device \(device)")
    #expect(other.status == 64 && other.errors.contains("other samples"), "\(other.errors)")
    let databases = try run(workspace, "train two.prototxt --data lmdb:x --device \(device)")
    #expect(
      databases.status == 64 && databases.errors.contains("the network reads left, right"),
      "\(databases.errors)")
    // Both labels are read where losses are computed alone; outputs need the inputs.
    try NPZWriter.encoded(arrays).write(to: URL(fileURLWithPath: workspace.file("in.npz")))
    let output = try run(
      workspace,
      "run two.prototxt --weights run --input in.npz --output out.npz --device \(device)")
    #expect(output.status == 0, "\(output.errors)")
    let scores = try Safetensors(npz: workspace.file("out.npz")).tensors["scores"]
    #expect(scores?.shape == [count, 2])
  }
}
