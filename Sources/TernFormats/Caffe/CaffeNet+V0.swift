import TernCore

/// Layers in the form of 2013, `layers { layer { name: … type: "conv" … } bottom: … top: … }`, written as those
/// of the form that came after it.
///
/// Source: the names of fields and types are those of BVLC's caffe.proto (V0LayerParameter).
enum CaffeV0 {
  /// The types of old, and what their settings were called since: the message, and the fields in it.
  private static let types: [String: (type: String, settings: String?)] = [
    "accuracy": ("ACCURACY", nil), "bnll": ("BNLL", nil), "concat": ("CONCAT", "concat_param"),
    "conv": ("CONVOLUTION", "convolution_param"), "data": ("DATA", "data_param"),
    "dropout": ("DROPOUT", "dropout_param"), "euclidean_loss": ("EUCLIDEAN_LOSS", nil),
    "flatten": ("FLATTEN", nil), "hdf5_data": ("HDF5_DATA", "hdf5_data_param"),
    "images": ("IMAGE_DATA", "image_data_param"),
    "innerproduct": ("INNER_PRODUCT", "inner_product_param"), "lrn": ("LRN", "lrn_param"),
    "pool": ("POOLING", "pooling_param"), "relu": ("RELU", nil), "sigmoid": ("SIGMOID", nil),
    "softmax": ("SOFTMAX", nil), "softmax_loss": ("SOFTMAX_LOSS", nil), "split": ("SPLIT", nil),
    "tanh": ("TANH", nil), "window_data": ("WINDOW_DATA", "window_data_param"),
  ]

  /// Fields that were called otherwise.
  private static let renamed = [
    "biasterm": "bias_term", "kernelsize": "kernel_size", "batchsize": "batch_size",
    "meanfile": "mean_file", "cropsize": "crop_size", "shuffle_images": "shuffle",
    "det_fg_threshold": "fg_threshold", "det_bg_threshold": "bg_threshold",
    "det_fg_fraction": "fg_fraction", "det_context_pad": "context_pad",
    "det_crop_mode": "crop_mode",
  ]
  /// Fields of the layer itself.
  private static let outer: Set<String> = ["name", "blobs_lr", "weight_decay"]
  /// Fields of data layers that have a message of their own since.
  private static let transforms: Set<String> = ["scale", "mean_file", "crop_size", "mirror"]

  /// The layers with each of the old form in the later one. A layer that only puts zeros around its input is
  /// told to the convolution that reads it.
  static func upgraded(_ layers: [PrototxtMessage]) throws -> [PrototxtMessage] {
    var result: [PrototxtMessage] = []
    /// What reads the top of a layer of zeros: its bottom, and how many zeros.
    var padding: [String: (bottom: PrototxtField, count: PrototxtField)] = [:]
    for message in layers {
      guard let inner = try message.message("layer") else {
        result.append(message)
        continue
      }
      guard let type = inner.last("type") else {
        throw PrototxtFault(line: inner.line, text: "a layer without a type")
      }
      if try type.word() == "padding" {
        guard let top = try message.text("top"), let bottom = message.last("bottom"),
          let count = inner.last("pad")
        else {
          throw PrototxtFault(
            line: inner.line, text: "a layer of padding without bottom, top or pad")
        }
        padding[top] = (bottom, count)
        continue
      }
      result.append(try upgraded(message, inner, type, &padding))
    }
    return result
  }

  private static func upgraded(
    _ message: PrototxtMessage, _ inner: PrototxtMessage, _ typeField: PrototxtField,
    _ padding: inout [String: (bottom: PrototxtField, count: PrototxtField)]
  ) throws -> PrototxtMessage {
    let old = try typeField.word()
    guard let (type, settings) = types[old] else {
      let hint = EditDistance.nearest(to: old, among: Array(types.keys))
      throw typeField.fault(
        "'\(old)' is no type of the form of 2013" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    var result = PrototxtMessage(line: message.line)
    var own = PrototxtMessage(line: inner.line)
    var transform = PrototxtMessage(line: inner.line)
    result.fields.append(.init(name: "type", value: .word(type), line: typeField.line))
    for field in message.fields where field.name != "layer" {
      if field.name == "bottom", let zeros = padding[try field.text()] {
        guard type == "CONVOLUTION" else {
          throw field.fault("only a convolution reads a layer of padding")
        }
        result.fields.append(zeros.bottom)
        own.fields.append(.init(name: "pad", value: zeros.count.value, line: zeros.count.line))
      } else {
        result.fields.append(field)
      }
    }
    for field in inner.fields where field.name != "type" {
      let name = renamed[field.name] ?? field.name
      let field = PrototxtField(name: name, value: field.value, line: field.line)
      if outer.contains(name) {
        result.fields.append(field)
      } else if type.hasSuffix("DATA"), transforms.contains(name) {
        transform.fields.append(field)
      } else {
        guard settings != nil else {
          throw field.fault("a layer of the type '\(old)' has no such field")
        }
        own.fields.append(field)
      }
    }
    func append(_ name: String, _ message: PrototxtMessage) {
      guard !message.fields.isEmpty else { return }
      result.fields.append(.init(name: name, value: .message(message), line: message.line))
    }
    if let settings { append(settings, own) }
    append("transform_param", transform)
    return result
  }
}
