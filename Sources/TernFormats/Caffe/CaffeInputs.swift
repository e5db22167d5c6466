import TernCore

/// What a net reads from outside.
struct CaffeInput: Sendable {
  let name: String
  /// The shape of a batch, where the file says it.
  let shape: [Int]?
  /// The layer of data that brings it; `nil` where the file only declares it.
  let layer: CaffeLayer?
  /// Whether it is what losses are held against, and nothing is computed of it.
  let isLabel: Bool
}

/// Finds what a net reads from outside, by the layers of data and what reads their tops.
struct CaffeInputs {
  private let layers: [CaffeLayer]
  private var found: [CaffeInput] = []

  private static let extents = 1...1 << 30

  /// - Parameters:
  ///   - root: the file, for `input` and its shapes.
  ///   - layers: those of both phases.
  static func all(_ root: PrototxtMessage, _ layers: [CaffeLayer]) throws -> [CaffeInput] {
    var inputs = CaffeInputs(layers: layers)
    try inputs.addDeclared(root)
    for layer in layers where layer.isData || layer.type == "Input" { try inputs.add(layer) }
    return inputs.found
  }

  private mutating func add(_ name: String, _ shape: [Int]?, _ layer: CaffeLayer?, isLabel: Bool) {
    guard !found.contains(where: { $0.name == name }) else { return }
    found.append(CaffeInput(name: name, shape: shape, layer: layer, isLabel: isLabel))
  }

  /// What stands in front of the layers: `input`, with `input_shape` or four `input_dim`.
  private mutating func addDeclared(_ root: PrototxtMessage) throws {
    let shapes = try root.messages("input_shape").map {
      try $0.integers("dim", in: Self.extents)
    }
    let old = try root.integers("input_dim", in: Self.extents)
    for (index, name) in try root.texts("input").enumerated() {
      let start = 4 * index
      let shape =
        index < shapes.count
        ? shapes[index] : start + 4 <= old.count ? Array(old[start..<start + 4]) : nil
      add(name, shape, nil, isLabel: holdsLabels(name))
    }
  }

  private mutating func add(_ layer: CaffeLayer) throws {
    for (index, top) in layer.tops.enumerated() {
      let isLabel =
        index > 0 && Self.labelledTypes.contains(layer.type) || holdsLabels(top)
      add(
        top, isLabel ? nil : try Self.shape(of: layer, index), layer,
        // Something has to be computed of the first.
        isLabel: isLabel && found.contains { !$0.isLabel })
    }
  }

  /// Layers of data whose second top is a sample's label.
  private static let labelledTypes: Set<String> = ["Data", "ImageData", "MemoryData", "WindowData"]

  /// Whether losses and measures alone read a top, and hold something else against it.
  private func holdsLabels(_ top: String) -> Bool {
    let readers = layers.filter { $0.bottoms.contains(top) && $0.type != "Silence" }
    return !readers.isEmpty
      && readers.allSatisfy { ($0.isLoss || $0.type == "Accuracy") && $0.bottoms.first != top }
  }

  /// The shape of a batch of one of a layer's tops, where the layer says it; other extents are in its data.
  private static func shape(of layer: CaffeLayer, _ index: Int) throws -> [Int]? {
    switch layer.type {
    case "Input": return try declaredShape(layer.settings("input_param"), index)
    case "DummyData": return try dummyShape(layer.settings("dummy_data_param"), index)
    case "MemoryData":
      let own = try layer.settings("memory_data_param")
      guard let channels = try own.integer("channels", in: extents),
        let height = try own.integer("height", in: extents),
        let width = try own.integer("width", in: extents)
      else { return nil }
      return [1, channels, height, width]
    case "ImageData":
      guard let size = try CaffePictures(layer).sampleSize else { return nil }
      return [1, try CaffePictures(layer).isColoured ? 3 : 1] + size
    default:
      // A batch of pictures in colour, where they are cut out.
      let crop = try layer.transform().integer("crop_size", in: 0...1 << 15)
      guard let crop, crop > 0 else { return nil }
      return [1, 3, crop, crop]
    }
  }

  private static func declaredShape(_ settings: PrototxtMessage, _ index: Int) throws -> [Int]? {
    let shapes = try settings.messages("shape")
    return try (index < shapes.count ? shapes[index] : shapes.last)?.integers("dim", in: extents)
  }

  /// One shape for each top or for all, or of old four extents.
  private static func dummyShape(_ settings: PrototxtMessage, _ index: Int) throws -> [Int]? {
    if let shape = try declaredShape(settings, index) { return shape }
    let extents = try ["num", "channels", "height", "width"].compactMap { name -> Int? in
      let values = try settings.integers(name, in: Self.extents)
      return index < values.count ? values[index] : values.last
    }
    return extents.count == 4 ? extents : nil
  }
}

extension CaffeLayer {
  /// What a layer of data does with its pictures. Of old that stood among its own settings.
  func transform() throws -> PrototxtMessage {
    var result = try settings("transform_param")
    for own in ["data_param", "image_data_param", "window_data_param"] {
      let fields = try settings(own).fields.filter { field in
        ["scale", "mean_file", "crop_size", "mirror"].contains(field.name)
          && result.last(field.name) == nil
      }
      result.fields += fields
    }
    return result
  }
}
