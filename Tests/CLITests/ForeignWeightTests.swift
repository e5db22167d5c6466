import Foundation
import Tern
import Testing

/// Weights that come from a run, from a wrapped network, or from another program.
@Suite struct ForeignWeightTests {
  private static let net = """
    input: [1, 28, 28]
    classes: 10
    layers:
      - flatten
      - linear: {name: body, out_features: 8}
      - batch_norm: {name: norm}
      - relu
      - linear: {name: head, out_features: 10}

    """
  private static let train = [
    "train", "net.yaml", "--data", "idx:data", "--device", "reference", "--batch-size", "10",
  ]

  private func workspace() throws -> Workspace {
    let workspace = try Workspace()
    try workspace.writeDataset(train: 20, test: 10)
    try workspace.write("net.yaml", Self.net)
    let run = try Command.run(Self.train + ["--epochs", "1", "--out", "run"], in: workspace.path)
    #expect(run.status == 0, "\(run.errors)")
    return workspace
  }

  private func notes(_ errors: String, _ start: String) -> [String] {
    errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix(start) }
  }

  @Test func aRunIsAStart() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let result = try Command.run(
      Self.train + ["--init", "run", "--lr", "1e-30", "--epochs", "1", "--out", "next"],
      in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      notes(result.errors, "init: ") == [
        "init: run/checkpoints/last/weights.safetensors: 8 of 8 tensors are loaded: body 2, norm 4, "
          + "head 2"
      ])
    let paths = ["run", "next"].map {
      workspace.file("\($0)/checkpoints/last/weights.safetensors")
    }
    let weights = try paths.map { try Safetensors(contentsOf: $0).tensors["head.weight"] }
    #expect(weights[0] == weights[1])
    try FileManager.default.createDirectory(
      atPath: workspace.file("empty"), withIntermediateDirectories: true)
    try BadInput(
      "train net.yaml --data idx:data --device reference --init empty", 66, "empty",
      "no training run"
    ).check(in: workspace)
  }

  /// What DataParallel and torch.compile put before every name is left out, by a line that says so.
  @Test(arguments: ["module.", "_orig_mod.", "_orig_mod.module.", "state_dict.model."])
  func wrappedNames(prefix: String) throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let own = try Safetensors(
      contentsOf: workspace.file("run/checkpoints/last/weights.safetensors"))
    let wrapped = Safetensors(
      tensors: Dictionary(uniqueKeysWithValues: own.tensors.map { (prefix + $0, $1) }),
      metadata: own.metadata)
    try wrapped.encoded().write(to: URL(fileURLWithPath: workspace.file("w.safetensors")))
    let note = "w.safetensors: every name starts with '\(prefix)', which is left out"
    let started = try Command.run(
      Self.train + ["--init", "w.safetensors", "--dry-run"], in: workspace.path)
    #expect(started.status == 0 && notes(started.errors, "init: ").first == "init: " + note)
    let imported = try Command.run(
      ["import", "w.safetensors", "--model", "net.yaml", "--out", "i.safetensors"],
      in: workspace.path)
    #expect(imported.status == 0 && imported.errors == note + "\n", "\(imported.errors)")
    #expect(
      try Safetensors(contentsOf: workspace.file("i.safetensors")).tensors == own.tensors)
    let plain = try Command.run(
      ["test", "run", "--json", "--device", "reference"], in: workspace.path)
    let measured = try Command.run(
      [
        "test", "--model", "net.yaml", "--weights", "w.safetensors", "--data", "idx:data",
        "--device", "reference", "--json",
      ], in: workspace.path)
    #expect(measured.status == 0 && measured.output == plain.output, "\(measured.errors)")
    #expect(measured.errors.contains(note))
  }

  /// Files of other programs are named for what they are, by what is in them, and the way is said.
  @Test func filesOfOtherPrograms() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let start: [UInt8] = [0x50, 0x4B, 3, 4]
    let head = "\u{14}\0\0\0\0\0"
    try (Data(start) + Data((head + "archive/data.pkl").utf8) + Data(count: 100)).write(
      to: URL(fileURLWithPath: workspace.file("net.pth")))
    try (Data(start) + Data((head + "w.npy").utf8) + Data(count: 100)).write(
      to: URL(fileURLWithPath: workspace.file("net.npz")))
    try (Data([0x80, 2]) + Data(count: 100)).write(
      to: URL(fileURLWithPath: workspace.file("old.bin")))
    try (Data([0x89]) + Data("HDF\r\n\u{1A}\n".utf8)).write(
      to: URL(fileURLWithPath: workspace.file("net.h5")))
    for line in [
      "train net.yaml --data idx:data --device reference --init net.h5",
      "import net.h5 --model net.yaml --out out.safetensors",
      "test --model net.yaml --weights net.h5 --data idx:data --device reference",
    ] { try BadInput(line, 65, "net.h5", "HDF5", "safetensors").check(in: workspace) }
    // Files of PyTorch's, NumPy's, ONNX's and Caffe's own forms are read; damaged ones are named.
    for file in ["net.onnx", "net.caffemodel"] {
      try workspace.write(file, "12345678901234567890")
    }
    for (file, what) in [
      ("net.pth", "ZIP"), ("net.npz", "ZIP"), ("old.bin", "0x0"), ("net.onnx", "truncated"),
      ("net.caffemodel", "truncated"),
    ] {
      try BadInput(
        "train net.yaml --data idx:data --device reference --init \(file)", 65, file, what
      )
      .check(in: workspace)
    }
  }

  @Test func archivesOfNumPysAreWeights() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let tensors = [
      "fc.weight": HostTensor([2, 3], [1, 2, 3, 4, 5, 6] as [Float]),
      "count": HostTensor([], [Int32(7)]),
    ]
    let path = workspace.file("w.npz")
    try NPZWriter.encoded(tensors).write(to: URL(fileURLWithPath: path))
    #expect(try WeightsFile(path).file.tensors == tensors)
  }

  @Test func freezingSaysWhatIsTrained() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    let result = try Command.run(
      Self.train + ["--freeze", "body, norm", "--dry-run"], in: workspace.path)
    #expect(result.status == 0)
    #expect(
      notes(result.errors, "freeze: ") == [
        "freeze: 2 of 6 tensors are trained, 90 of 6386 parameters: head 2"
      ])
    let train = "train net.yaml --data idx:data --device reference"
    for input in [
      BadInput("\(train) --freeze ,", 64, "freeze", "names of layers"),
      BadInput("\(train) --freeze bodie", 64, "did you mean 'body'?"),
      BadInput("\(train) --freeze body,norm,head", 64, "nothing is left to train"),
    ] { try input.check(in: workspace) }
  }

  /// An algorithm that covers none of a network's convolutions, or some, or that a device does not
  /// choose among, is said.
  @Test func anAlgorithmThatDoesNotApply() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    try workspace.write(
      "conv.yaml",
      """
      input: [1, 28, 28]
      classes: 10
      layers:
        - conv2d: {out_channels: 4, kernel_size: 3}
        - conv2d: {out_channels: 4, kernel_size: 5}
        - flatten
        - linear: {out_features: 10}

      """)
    func note(_ model: String, _ device: String, _ algorithm: String) throws -> [String] {
      let result = try Command.run(
        [
          "train", model, "--data", "idx:data", "--device", device, "--algorithm", algorithm,
          "--dry-run", "--batch-size", "10",
        ], in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
      return notes(result.errors, "algorithm: ")
    }
    #expect(try note("conv.yaml", "cpu", "direct") == [])
    #expect(try note("conv.yaml", "cpu", "winograd").first?.contains("1 of 2") == true)
    #expect(try note("conv.yaml", "cpu", "depthwise").first?.contains("no convolution") == true)
    #expect(try note("net.yaml", "cpu", "winograd").first?.contains("changes nothing") == true)
    #expect(
      try note("conv.yaml", "reference", "direct").first?.contains("changes nothing") == true)
  }

  /// A run takes implementations by their names, on the command line and in its file, keeps them with its
  /// settings, and refuses what the device does not have.
  @Test func implementationsByName() throws {
    let workspace = try workspace()
    defer { workspace.remove() }
    try workspace.write(
      "run.yaml",
      "model: net.yaml\ndata: idx:data\ndevice: cpu\nalgorithm: [no-paired, onednn]\n")
    func algorithm(_ arguments: [String]) throws -> String? {
      let run = try Command.run(
        ["train"] + arguments + ["--epochs", "1", "--batch-size", "10", "--out", "named"],
        in: workspace.path)
      #expect(run.status == 0, "\(run.errors)")
      let config = workspace.file("named/config.yaml")
      defer { try? FileManager.default.removeItem(atPath: workspace.file("named")) }
      return try String(contentsOfFile: config, encoding: .utf8).split(separator: "\n")
        .first { $0.hasPrefix("algorithm: ") }.map(String.init)
    }
    let train = ["net.yaml", "--data", "idx:data", "--device", "cpu", "--algorithm"]
    #expect(try algorithm(train + ["direct,no-paired"]) == #"algorithm: "direct,no-paired""#)
    #expect(try algorithm(["--config", "run.yaml"]) == #"algorithm: "onednn,no-paired""#)
    let line = (["train"] + train).joined(separator: " ")
    for input in [
      BadInput("\(line) fastest", 64, "no 'fastest'; it has "),
      BadInput("\(line) direct,", 64, "names separated by commas"),
    ] { try input.check(in: workspace) }
  }
}
