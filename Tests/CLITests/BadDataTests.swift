import Foundation
import Tern
import Testing

/// Damaged and unfit data: pictures, tables, arrays, model files, runs. Each is one clear line on
/// stderr and the right exit code.
@Suite struct BadDataTests {
  private static let pictures = [
    "truncated-png": ("truncated-png.png", "truncated"), "crc": ("crc.png", "damaged PNG"),
    "huge": ("huge.png", "more than"), "zero": ("zero.png", "PNG"),
    "truncated-jpeg": ("truncated-jpeg.jpg", "JPEG"), "noise": ("noise.jpg", "JPEG"),
    "text": ("text.png", "neither a PNG nor a JPEG"), "nothing": ("nothing.png", "empty"),
  ].sorted { $0.key < $1.key }.flatMap { name, picture in
    [
      BadInput(
        "train lenet5 --data images:\(name) --image-size 28", 65, picture.0, picture.1),
      BadInput("predict run \(name)/a/\(picture.0)", 65, picture.0, picture.1),
    ]
  }

  private static let folders = [
    BadInput("train lenet5 --data images:empty", 65, "empty", "at least 2 classes"),
    BadInput("train lenet5 --data images:single", 65, "single", "at least 2 classes"),
    BadInput("train lenet5 --data images:bare", 65, "bare/b", "no picture"),
    BadInput("train lenet5 --data images:gone", 66, "gone"),
    BadInput("train lenet5 --data images:", 64, "images:DIR"),
    BadInput("train lenet5 --data few", 64, "'few'", "did you mean 'images:few'?"),
    BadInput("train lenet5 --data images:few --image-size 0", 64, "image-size"),
    BadInput("train lenet5 --data images:few --classes 5", 64, "classes: 5", "the data has 2"),
    BadInput("train lenet5 --data cifar10:empty", 66, "data_batch_1.bin"),
    BadInput("train lenet5 --data cifar10:short", 65, "records of 3073"),
  ]

  private static let tables = [
    BadInput("train linear --data csv:ragged.csv", 65, "ragged.csv", "line 3"),
    BadInput("train linear --data csv:word.csv", 65, "word.csv", "line 3"),
    BadInput("train linear --data csv:nan.csv", 65, "nan.csv", "line 3"),
    BadInput("train linear --data csv:unlabelled.csv", 65, "unlabelled.csv"),
    BadInput("train linear --data csv:header.csv", 65, "header.csv", "no line"),
    BadInput("train linear --data csv:same.csv", 65, "same.csv", "label 'x'"),
    BadInput("train linear --data csv:good.csv,wide.csv", 65, "wide.csv", "features"),
    BadInput("train linear --data csv:good.csv,strange.csv", 65, "strange.csv", "'z'"),
    BadInput("train linear --data csv:gone.csv", 66, "gone.csv"),
    BadInput("train linear --data good.csv", 64, "did you mean 'csv:good.csv'?"),
  ]

  private static let arrays = [
    BadInput("train linear --data npz:names.npz", 65, "names.npz", "x_train"),
    BadInput("train linear --data npz:shape.npz", 65, "shape.npz", "[N, D]"),
    BadInput("train linear --data npz:count.npz", 65, "count.npz", "labels of shape"),
    BadInput("train linear --data npz:type.npz", 65, "type.npz", "integers"),
    BadInput("train linear --data npz:text.npz", 65, "text.npz"),
    BadInput("train linear --data npz:gone.npz", 66, "gone.npz"),
  ]

  private static let models = [
    BadInput("summary unknown.yaml", 65, "unknown.yaml:4", "relu"),
    BadInput("summary cycle.yaml", 65, "cycle.yaml:4", "not a layer above"),
    BadInput("summary from.yaml", 65, "from.yaml", "nowhere"),
    BadInput("summary layers.yaml", 65, "layers.yaml", "layers"),
    BadInput("train --resume run --lr 0.5", 64, "lr", "0.5"),
    BadInput("train --resume run --epochs 1 --batch-size 7", 64, "batch_size 7"),
    BadInput("train --resume run --out other", 64, "--out"),
    BadInput("train --resume damaged", 65, "damaged"),
    BadInput("test run --checkpoint worst", 64, "worst"),
    BadInput("predict run", 64, "predict what"),
    BadInput("predict run few/a/0.png --index 1", 64, "not both"),
    BadInput("predict run few/a/0.png --top 0", 64, "top"),
    BadInput("predict run gone.png", 66, "gone.png", "no such file"),
    BadInput("predict run empty", 65, "empty", "no picture"),
    BadInput("test run --data images:strange", 65, "strange/c", "no such class"),
    BadInput("test run --data idx:gone", 66, "gone"),
    BadInput("test run --data csv:good.csv", 65, "good.csv", "not in the training set"),
    BadInput("data preview --data images:few --image-size 28 --out few/a/0.png/x.png", 73, "x.png"),
    BadInput("export run --out few/a/0.png/w.npz", 73, "w.npz"),
  ]

  /// A grey picture.
  private static func png(_ seed: Int) -> Data {
    PNGWriter.encoded(
      (0..<900).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed &* 57) }, width: 30, height: 30,
      channels: 1)
  }

  /// The first bytes of a JPEG, up to its tables.
  private static let jpegStart = Data(
    [0xFF, 0xD8, 0xFF, 0xE0, 0, 16] + Array("JFIF\0".utf8) + [1, 1, 0, 0, 1, 0, 1, 0, 0])

  /// Two classes of six pictures.
  private func folder(_ name: String, in workspace: Workspace) throws {
    for kind in ["a", "b"] {
      let path = workspace.file("\(name)/\(kind)")
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for index in 0..<6 {
        try Self.png(index).write(to: URL(fileURLWithPath: "\(path)/\(index).png"))
      }
    }
  }

  private func makePictures(in workspace: Workspace) throws {
    let good = Self.png(0)
    func changed(_ start: Int, _ bytes: [UInt8]) -> Data {
      var data = good
      data.replaceSubrange(start..<start + bytes.count, with: bytes)
      return data
    }
    // Bytes 16 to 23 are width and height, 29 to 32 the check sum over them.
    let contents = [
      "truncated-png": good.prefix(good.count / 2), "crc": changed(29, [1, 2, 3, 4]),
      "huge": Self.header(width: 1_000_000, height: 1_000_000),
      "zero": Self.header(width: 0, height: 9),
      "truncated-jpeg": Self.jpegStart,
      "noise": Self.jpegStart + Data(repeating: 0x5A, count: 4000),
      "text": Data("not a picture".utf8), "nothing": Data(),
    ]
    for (name, content) in contents {
      try folder(name, in: workspace)
      let ending = ["truncated-jpeg", "noise"].contains(name) ? "jpg" : "png"
      try content.write(to: URL(fileURLWithPath: workspace.file("\(name)/a/\(name).\(ending)")))
    }
    try folder("few", in: workspace)
    for path in ["empty", "single/a", "bare/a", "bare/b", "short", "strange/c"] {
      try FileManager.default.createDirectory(
        atPath: workspace.file(path), withIntermediateDirectories: true)
    }
    for name in ["single", "bare"] {
      try good.write(to: URL(fileURLWithPath: workspace.file("\(name)/a/0.png")))
    }
    for index in 1...5 { try workspace.write("short/data_batch_\(index).bin", "too short") }
  }

  /// A PNG file whose header, with a check sum that is right, claims an extent.
  private static func header(width: Int, height: Int) -> Data {
    var file = png(0)
    for (place, extent) in [(16, width), (20, height)] {
      for i in 0..<4 { file[place + i] = UInt8(truncatingIfNeeded: extent >> (24 - 8 * i)) }
    }
    // CRC-32 (ISO 3309) of the header.
    var crc = UInt32.max
    for byte in file[12..<29] {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    for i in 0..<4 { file[29 + i] = UInt8(truncatingIfNeeded: ~crc >> (24 - 8 * UInt32(i))) }
    return file
  }

  private func makeTables(in workspace: Workspace) throws {
    let rows = (0..<12).map { "\($0),\($0 * 2 % 7),\($0 % 2 == 0 ? "x" : "y")\n" }.joined()
    let header = "a,b,label\n"
    for (name, text) in [
      "good": header + rows, "ragged": header + "1,2,x\n1,x\n" + rows,
      "word": header + "1,2,x\n1,two,x\n" + rows, "nan": header + "1,2,x\n1,nan,x\n" + rows,
      "unlabelled": "1\n2\n3\n", "header": header,
      "same": header + rows.replacing("y", with: "x"),
      "wide": "a,b,c,label\n1,2,3,x\n1,2,3,y\n", "strange": header + "1,2,z\n",
    ] { try workspace.write("\(name).csv", text) }
    func arrays(_ name: String, _ tensors: [String: HostTensor]) throws {
      try NPZWriter.encoded(tensors).write(
        to: URL(fileURLWithPath: workspace.file("\(name).npz")))
    }
    let labels = HostTensor([12], (0..<12).map { Int32($0 % 2) })
    try arrays("names", ["samples": HostTensor(repeating: 0, [12, 3]), "labels": labels])
    try arrays("shape", ["images": HostTensor(repeating: 0, [12, 2, 3, 4, 5]), "labels": labels])
    try arrays("count", ["images": HostTensor(repeating: 0, [11, 3]), "labels": labels])
    try arrays(
      "type",
      ["images": HostTensor(repeating: 0, [12, 3]), "labels": HostTensor(repeating: 0, [12])])
    try workspace.write("text.npz", "not an archive")
  }

  private func makeModels(in workspace: Workspace) throws {
    func model(_ name: String, _ layers: String...) throws {
      try workspace.write(
        name,
        "input: [1, 28, 28]\nclasses: 2\nlayers:\n" + layers.map { "  - \($0)\n" }.joined())
    }
    try model("unknown.yaml", "relo")
    try model(
      "cycle.yaml", "relu: {name: one, from: [two]}", "relu: {name: two, from: [one]}", "flatten")
    try model("from.yaml", "relu: {from: [nowhere]}")
    try workspace.write("layers.yaml", "input: [1, 28, 28]\nclasses: 2\n")
    try folder("training", in: workspace)
    let result = try Command.run(
      [
        "train", "linear", "--data", "images:training", "--image-size", "8", "--epochs", "2",
        "--device", "cpu", "--out", "run", "-q",
      ], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
    try FileManager.default.copyItem(
      atPath: workspace.file("run"), toPath: workspace.file("damaged"))
    try workspace.write("damaged/checkpoints/last/state.safetensors", "damaged")
  }

  private func check(
    _ inputs: [BadInput], _ make: (Workspace) throws -> Void...
  ) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for make in make { try make(workspace) }
    for input in inputs { try input.check(in: workspace) }
    #expect(!FileManager.default.fileExists(atPath: workspace.file("runs")))
  }

  @Test func damagedPictures() throws { try check(Self.pictures, makePictures, makeModels) }
  @Test func unfitFolders() throws { try check(Self.folders, makePictures) }
  @Test func unfitTables() throws { try check(Self.tables, makeTables) }
  @Test func unfitArrays() throws { try check(Self.arrays, makeTables) }
  @Test func modelsRunsAndOutput() throws {
    try check(Self.models, makePictures, makeTables, makeModels)
  }

  /// One picture that cannot be read does not keep the others from being answered.
  @Test func predictsWhatCanBeRead() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try makePictures(in: workspace)
    try makeModels(in: workspace)
    // The weights say all there is to know of the data.
    try FileManager.default.removeItem(atPath: workspace.file("training"))
    let result = try Command.run(
      [
        "predict", "run", "few/a/0.png", "text/a/text.png", "gone.png", "empty", "few/b/", "--json",
        "--device", "cpu",
      ], in: workspace.path)
    #expect(result.status == 65)
    let lines = result.output.split(separator: "\n").compactMap { try? JSON(parsing: String($0)) }
    #expect(
      lines.map { $0["sample"] }
        == (["few/a/0.png"] + (0..<6).map { "few/b/\($0).png" }).map(JSON.string))
    for line in lines {
      guard case .array(let predictions)? = line["predictions"] else {
        Issue.record("no predictions in \(line)")
        continue
      }
      let sum = predictions.reduce(0) { $0 + ($1["probability"]?.doubleValue ?? 0) }
      #expect(predictions.count == 2 && abs(sum - 1) < 1e-6)
    }
    #expect(result.errors.split(separator: "\n").count == 3)
  }
}
