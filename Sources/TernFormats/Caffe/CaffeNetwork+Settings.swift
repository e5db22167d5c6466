import Foundation
import TernCore
import TernData

extension CaffeNetwork {
  /// The settings of a run that a net's file decides: the factors of its parameters, and of its data layer what it
  /// reads, the batch, the values' scale and the mirror.
  ///
  /// - Throws: ``TernError`` with the line that is wrong.
  package static func settings(contentsOf path: String) throws -> [String: AttributeValue] {
    let net = try CaffeNet(contentsOf: path)
    do {
      let layers = try net.layers(in: .train)
      var settings: [String: AttributeValue] = [:]
      let groups = try layers.flatMap(groups)
      if !groups.isEmpty {
        settings["param_groups"] = .string(Set(groups).sorted().joined(separator: ";"))
      }
      guard let data = layers.first(where: { sourceSettings[$0.type] != nil }) else {
        return settings
      }
      if let source = try source(of: net, data.type) { settings["data"] = .string(source) }
      let own = try data.settings(sourceSettings[data.type]!)
      if let size = try own.integer("batch_size", in: 1...1 << 20) {
        settings["batch_size"] = .int(size)
      }
      if data.type == "HDF5Data" {
        settings.merge(try arraySettings(data, in: net)) { _, new in new }
        return settings
      }
      let transform = try data.transform()
      if data.type == "ImageData" {
        settings.merge(try CaffePictures(data).settings(beside: path)) { _, new in new }
      } else if let size = try transform.integer("crop_size", in: 0...4096), size > 0 {
        settings["image_size"] = .int(size)
      }
      if try transform.truth("mirror", false) { settings["augment"] = .string("flip") }
      if try missingMeanFile(of: net) == nil {
        settings["normalize"] = .string(try normalization(transform, beside: path))
      }
      return settings
    } catch let fault as PrototxtFault { throw fault.error(in: path) }
  }

  /// Where layers of data say what they read, by type.
  private static let sourceSettings = [
    "Data": "data_param", "ImageData": "image_data_param", "HDF5Data": "hdf5_data_param",
    "MemoryData": "memory_data_param", "WindowData": "window_data_param",
  ]
  private static let formats = ["Data": "lmdb", "ImageData": "list", "HDF5Data": "hdf5"]

  /// The data that a net for training and another for testing name.
  static func data(of path: String, testedBy testPath: String) throws -> String? {
    let (net, test) = (try CaffeNet(contentsOf: path), try CaffeNet(contentsOf: testPath))
    do {
      let layer = try net.layers(in: .train).first { sourceSettings[$0.type] != nil }
      return try layer.flatMap { try source(of: net, $0.type, test: test) }
    } catch let fault as PrototxtFault { throw fault.error(in: path) }
  }

  /// The data that the net's layers name, for training and for testing. LevelDB's databases are not read here, and
  /// other data has to be named by the user.
  ///
  /// - Parameter test: the net for testing, where that is another file's.
  private static func source(
    of net: CaffeNet, _ type: String, test: CaffeNet? = nil
  ) throws -> String? {
    func place(_ layer: CaffeLayer, of net: CaffeNet) throws -> String? {
      let own = try layer.settings(sourceSettings[type]!)
      if type == "Data", !["LMDB", "1"].contains(try own.word("backend") ?? "LEVELDB") {
        return nil
      }
      return try own.text("source").map { CaffeSolver.located($0, beside: net.path) }
    }
    guard let format = formats[type],
      let layer = try net.layers(in: .train).first(where: { $0.type == type }),
      let training = try place(layer, of: net)
    else { return nil }
    let testNet = test ?? net
    // A solver may ask for several nets by their stages, one of which measures what was trained on.
    let layers = try testNet.layers(in: .test) + testNet.stagedTestLayers()
    let places = try layers.filter { $0.type == type }.compactMap { try place($0, of: testNet) }
    return "\(format):\(training)" + (places.first { $0 != training }.map { ",\($0)" } ?? "")
  }

  /// What a layer that reads HDF5 decides: values come as they are, and labels by the name of their top.
  private static func arraySettings(
    _ layer: CaffeLayer, in net: CaffeNet
  ) throws -> [String: AttributeValue] {
    var settings: [String: AttributeValue] = ["normalize": .string("none")]
    let samples = net.inputs.filter { !$0.isLabel }.map(\.name)
    if samples.count == 1, samples[0] != "data" { settings["samples"] = .string(samples[0]) }
    var notes: [String] = []
    let outputs = try outputs(of: net, keepsSoftmax: true, &notes)
    if let targets = outputs.targets, targets != "label" {
      settings["target"] = .string(targets)
    }
    guard let top = layer.tops.first,
      let source = try layer.settings("hdf5_data_param").text("source")
    else { return settings }
    let place = CaffeSolver.located(source, beside: net.path)
    let sample = FileSystem.exists(place) ? try? HDF5Sets.sample(top, at: place) : nil
    if sample?.isBytes == true {
      // Tern takes bytes for parts of 255, Caffe for the numbers they are.
      settings["normalize"] = .string("0,\(1.0 / 255)")
    }
    // The weights of Caffe's that read pictures are turned, so that these have to be, too.
    if sample.map({ $0.shape.count == 3 && $0.shape[0] == 3 }) ?? true {
      settings["channel_order"] = .string(PictureOptions.ChannelOrder.bgr.rawValue)
    }
    return settings
  }

  /// The file of means that the data layer names, where it is not there: means are then the data's own.
  static func missingMeanFile(of net: CaffeNet) throws -> String? {
    let data = try net.layers(in: .train).first { sourceSettings[$0.type] != nil }
    guard let file = try data?.transform().text("mean_file") else { return nil }
    return FileSystem.exists(CaffeSolver.located(file, beside: net.path)) ? nil : file
  }

  /// The factors of a layer's parameters, where they are not 1.
  private static func groups(_ layer: CaffeLayer) throws -> [String] {
    let names: [String]
    switch layer.type {
    case "InnerProduct", "Convolution", "Deconvolution", "Scale": names = ["weight", "bias"]
    case "PReLU": names = ["weight"]
    case "Bias": names = ["bias"]
    // Batch normalisation has statistics alone, which nothing learns.
    default: return []
    }
    return zip(layer.parameters, names).enumerated().compactMap { index, pair in
      let (parameter, suffix) = pair
      guard parameter.rateFactor != 1 || parameter.decayFactor != 1 else { return nil }
      // A layer may lack its bias, of which its file has a factor.
      if suffix == "bias", !hasBias(layer) { return nil }
      return "\(layer.parameterName(index, suffix)):lr=\(parameter.rateFactor),"
        + "decay=\(parameter.decayFactor)"
    }
  }

  private static func hasBias(_ layer: CaffeLayer) -> Bool {
    let (settings, standard): (String, Bool) =
      switch layer.type {
      case "InnerProduct": ("inner_product_param", true)
      case "Scale": ("scale_param", false)
      case "Bias": ("", true)
      default: ("convolution_param", true)
      }
    guard !settings.isEmpty else { return true }
    return (try? layer.settings(settings).truth("bias_term", standard)) ?? standard
  }

  /// `MEAN,STD` by which a byte b becomes scale · (b − mean), as a data layer does it. Tern's pictures are in
  /// [0, 1].
  private static func normalization(
    _ transform: PrototxtMessage, beside path: String
  ) throws -> String {
    let scale = try transform.number("scale") ?? 1
    guard scale > 0 else { throw transform.last("scale")!.fault("expected a positive number") }
    var means = try transform.all("mean_value").map { try $0.number() }
    if let file = try transform.text("mean_file") {
      means = try CaffeWeights.channelMeans(
        contentsOf: CaffeSolver.located(file, beside: path))
    }
    // Caffe's pictures have blue first.
    return (means.isEmpty ? [0] : means.reversed()).map { "\($0 / 255),\(1 / (255 * scale))" }
      .joined(separator: ";")
  }
}
