import Foundation
import Tern
import Testing

/// Nets of Caffe's that name HDF5 files or lists of pictures as their data.
@Suite struct CaffeDataTests {
  private static let arrays =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/FormatCases/hdf5/"

  private func run(
    _ workspace: Workspace, _ arguments: String, environment: [String: String] = [:]
  ) throws -> Command.Result {
    try Command.run(
      arguments.split(separator: " ").map(String.init), in: workspace.path,
      environment: environment)
  }

  private func losses(_ result: Command.Result) throws -> [Double] {
    try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
      .filter { $0["event"] == .string("epoch") }.compactMap { $0["test_loss"]?.doubleValue }
  }

  private static func arrayNet(_ tops: String, _ last: String) -> String {
    """
    name: "arrays"
    layer { name: "data" type: "HDF5Data" \(tops) include { phase: TRAIN }
      hdf5_data_param { source: "train.txt" batch_size: 4 } }
    layer { name: "data" type: "HDF5Data" \(tops) include { phase: TEST }
      hdf5_data_param { source: "test.txt" batch_size: 4 } }
    \(last)
    """
  }

  private func writeArrays(_ workspace: Workspace, _ name: String) throws {
    try FileManager.default.copyItem(
      atPath: Self.arrays + name, toPath: workspace.file("nets/x.h5"))
    try workspace.write("nets/train.txt", "x.h5\nx.h5\n")
    try workspace.write("nets/test.txt", "x.h5\n")
  }

  /// Numbers to be predicted, whose loss is Caffe's: half the mean over samples of the sum of squares.
  @Test(arguments: TestDevices.fast)
  func numbersOfHDF5FilesAreLearnt(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try FileManager.default.createDirectory(
      atPath: workspace.file("nets"), withIntermediateDirectories: true)
    try writeArrays(workspace, "packed.h5")
    try workspace.write(
      "nets/net.prototxt",
      Self.arrayNet(
        "top: 'data' top: 'numbers'",
        """
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
          inner_product_param { num_output: 2 } }
        layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "numbers" top: "loss" }
        """))
    let trained = try run(
      workspace,
      "train nets/net.prototxt --epochs 40 --lr 0.01 --momentum 0 --device \(device) --out run --log-format json"
    )
    #expect(trained.status == 0, "\(trained.errors)")
    let dry = try run(workspace, "train nets/net.prototxt --device \(device) --dry-run")
    #expect(
      dry.errors.contains("training 8 (train.txt: data), test 4 (test.txt: data)"), "\(dry.errors)")
    let settings = try YAML.map(ofFile: workspace.file("run/config.yaml"))
    #expect(settings["data"] == .string("hdf5:nets/train.txt,nets/test.txt"))
    #expect(settings["target"] == .string("numbers") && settings["batch_size"] == .int(4))
    #expect(settings["normalize"] == .string("none"))
    let epochs = try losses(trained)
    #expect(epochs.count == 40 && epochs.last! < 0.5 * 0.3125, "\(epochs)")
    // Weights are 0 at first: half of the mean of 0.25 + 1 for every second sample, 0.3125.
    let first = try run(
      workspace,
      "train nets/net.prototxt --epochs 1 --lr 1e-30 --device \(device) --out one --log-format json"
    )
    #expect(try abs(losses(first)[0] - 0.5 * 0.5 * 1.25) < 1e-6, "\(first.output)\(first.errors)")
    let tested = try run(workspace, "test run --device \(device) --json")
    #expect(tested.status == 0, "\(tested.errors)")
    #expect(try JSON(parsing: tested.output)["samples"] == .int(4), "\(tested.output)")
    let predicted = try run(workspace, "predict run --index 1 --device \(device)")
    #expect(predicted.status == 0, "\(predicted.errors)")
  }

  @Test func classesOfHDF5FilesAreLearnt() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try FileManager.default.createDirectory(
      atPath: workspace.file("nets"), withIntermediateDirectories: true)
    try writeArrays(workspace, "earliest.h5")
    try workspace.write(
      "nets/net.prototxt",
      Self.arrayNet(
        "top: 'data' top: 'label'",
        """
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
          inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
        """))
    let command = "train nets/net.prototxt --epochs 30 --device cpu -q"
    let trained = try run(workspace, "\(command) --out run")
    #expect(trained.status == 0, "\(trained.errors)")
    // The same from a file that is named, and from one of bytes, which Caffe takes for the numbers they are.
    let named = try run(workspace, "\(command) --data hdf5:nets/x.h5 --test-split 0 --out named")
    #expect(named.status == 0, "\(named.errors)")
    try FileManager.default.removeItem(atPath: workspace.file("nets/x.h5"))
    let missing = try run(workspace, "\(command) --out missing")
    #expect(
      missing.status == 66 && missing.errors.contains("train.txt:1: no file 'x.h5'"),
      "\(missing.errors)")
    try FileManager.default.copyItem(
      atPath: Self.arrays + "latest.h5", toPath: workspace.file("nets/x.h5"))
    let bytes = try run(workspace, "\(command) --out bytes")
    #expect(bytes.status == 0, "\(bytes.errors)")
    let settings = try YAML.map(ofFile: workspace.file("bytes/config.yaml"))
    #expect(settings["normalize"]?.words == "0,\(1.0 / 255)", "\(settings["normalize"]!)")
  }

  /// Weights of Caffe's and pictures in HDF5 files fit each other, whatever is first in them: 1 · 1 + 2 · 10 + 4 · 100
  /// is what Caffe computes, and half of the square of its distance from the label the loss.
  @Test(arguments: TestDevices.fast)
  func coloursOfHDF5FilesMeetTheirWeights(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try FileManager.default.createDirectory(
      atPath: workspace.file("nets"), withIntermediateDirectories: true)
    try writeArrays(workspace, "colours.h5")
    try workspace.write(
      "nets/net.prototxt",
      Self.arrayNet(
        "top: 'data' top: 'label'",
        """
        layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
          convolution_param { num_output: 1 kernel_size: 2 bias_term: false } }
        layer { name: "loss" type: "EuclideanLoss" bottom: "conv" bottom: "label" top: "loss" }
        """))
    let weights = (0..<12).map { [1, 10, 100][$0 / 4] / Float(4) }
    var file = WireWriter()
    file.message(100) { layer in
      layer.string(1, "conv")
      layer.string(2, "Convolution")
      layer.string(3, "data")
      layer.message(7) { blob in
        blob.message(7) { $0.ints(1, [1, 3, 2, 2]) }
        blob.floats(5, weights)
      }
    }
    try file.data.write(to: URL(fileURLWithPath: workspace.file("nets/net.caffemodel")))
    let trained = try run(
      workspace,
      "train nets/net.prototxt --init nets/net.caffemodel --epochs 1 --lr 1e-30 --device \(device) --out run --log-format json"
    )
    #expect(trained.status == 0, "\(trained.errors)")
    let settings = try YAML.map(ofFile: workspace.file("run/config.yaml"))
    #expect(settings["channel_order"] == .string("bgr"))
    let expected = 0.5 * (421.0 * 421 + 420 * 420) / 2
    #expect(
      try abs(losses(trained)[0] - expected) < 1e-3 * expected,
      "\(trained.output)\(trained.errors)")
  }

  @Test func withoutTheLibraryItIsOneLine() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for (file, status, message) in [
      ("earliest.h5", Int32(1), "no libhdf5, which reads HDF5; apt-get install"),
      ("nothing.h5", 66, "no file"),
    ] {
      let result = try run(
        workspace, "train linear --data hdf5:\(Self.arrays)\(file) --device cpu",
        environment: ["TERN_HDF5": "/nowhere/libhdf5.so"])
      #expect(result.status == status && result.errors.contains(message), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
    try workspace.write("x.h5", "no HDF5 file")
    let other = try run(workspace, "train linear --data hdf5:x.h5 --device cpu")
    #expect(other.status == 66 && other.errors.contains("x.h5:1: no file"), "\(other.errors)")
  }

  /// Grey pictures that are not square, all of each, from a folder of their own.
  @Test(arguments: TestDevices.fast)
  func listsOfPicturesAreData(device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writePictures("pictures/dark", 20)
    try workspace.writePictures("pictures/bright", 200)
    func list(_ numbers: Range<Int>) -> String {
      numbers.map { "dark/\($0).png 0\nbright/\($0).png 1\n" }.joined()
    }
    try workspace.write("train.txt", list(0..<4))
    try workspace.write("test.txt", list(4..<6))
    func net(_ crop: String = "") -> String {
      func data(_ phase: String, _ list: String) -> String {
        """
        layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: \(phase) }
          transform_param { mirror: true mean_value: 128 scale: 0.0078125 \(crop) }
          image_data_param { source: "\(list)" root_folder: "pictures/" batch_size: 4 shuffle: true
            new_height: 6 new_width: \(crop.isEmpty ? 9 : 6) is_color: false } }

        """
      }
      return data("TRAIN", "train.txt") + data("TEST", "test.txt") + """
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
          inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
        """
    }
    try workspace.write("net.prototxt", net())
    try workspace.write("cut.prototxt", net("crop_size: 3"))
    let summary = try run(workspace, "summary net.prototxt --device cpu")
    #expect(summary.status == 0 && summary.output.contains("110"), "\(summary.output)")
    let trained = try run(
      workspace, "train net.prototxt --epochs 20 --lr 0.1 --device \(device) --out run")
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(
      trained.errors.contains("training 8 (train.txt), test 4 (test.txt)"), "\(trained.errors)")
    let settings = try YAML.map(ofFile: workspace.file("run/config.yaml"))
    for (name, value) in [
      ("data", AttributeValue.string("list:train.txt,test.txt")), ("augment", .string("flip")),
      ("crop_mode", .string("squash")), ("crop_pct", .double(1)),
      ("image_root", .string("pictures/")),
    ] {
      #expect(settings[name] == value, "\(name): \(String(describing: settings[name]))")
    }
    // From elsewhere, too.
    let folder = workspace.file("elsewhere")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let tested = try Command.run(
      ["test", "../run", "--device", device, "--json"], in: folder)
    #expect(tested.status == 0, "\(tested.errors)")
    #expect(try JSON(parsing: tested.output)["accuracy"]?.doubleValue == 1, "\(tested.output)")
    let predicted = try run(
      workspace, "predict run pictures/bright/5.png --device \(device) --json")
    #expect(
      predicted.status == 0 && predicted.output.contains("\"name\":\"1\""), "\(predicted.errors)")
    let cut = try run(workspace, "train cut.prototxt --epochs 1 --device \(device) --out cut -q")
    #expect(cut.status == 0, "\(cut.errors)")
    #expect(try YAML.map(ofFile: workspace.file("cut/config.yaml"))["crop_pct"] == .double(0.5))
    // One that is missing is named with its line, and left out where that is asked for.
    try workspace.write("train.txt", list(0..<4) + "dark/9.png 0\n")
    let missing = try run(workspace, "train net.prototxt --device \(device) --out missing -q")
    #expect(
      missing.status == 66
        && missing.errors.contains("train.txt:9: no picture 'pictures/dark/9.png'"),
      "\(missing.errors)")
    #expect(missing.errors.split(separator: "\n").count == 1, "\(missing.errors)")
    let skipped = try run(
      workspace, "train net.prototxt --epochs 1 --device \(device) --on-error skip --out skipped")
    #expect(
      skipped.status == 0 && skipped.errors.contains("skipped 1 of 9 pictures"), "\(skipped.errors)"
    )
  }

  @Test func netsThatCutOtherwiseAreRefused() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for (settings, message) in [
      ("new_height: 6", "new_height and new_width go together"),
      ("new_height: 6 new_width: 9", "crop_size 4 of 6×9 pictures"),
      ("new_height: 3 new_width: 3", "crop_size 4 of 3×3 pictures"),
    ] {
      try workspace.write(
        "net.prototxt",
        """
        layer { name: "data" type: "ImageData" top: "data" top: "label"
          transform_param { crop_size: 4 } image_data_param { source: "x.txt" \(settings) } }
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
          inner_product_param { num_output: 2 } }
        """)
      let result = try run(workspace, "summary net.prototxt --device cpu")
      #expect(
        result.status == 65 && result.errors.contains("net.prototxt:1: ")
          && result.errors.contains(message), "\(result.errors)")
    }
  }
}
