import TernCore
import TernNN

/// For what a net is built.
enum CaffePhase: String, Sendable {
  case train = "TRAIN"
  case test = "TEST"
}

/// A layer of a net as a file says it.
struct CaffeLayer: Sendable {
  let name: String
  let type: String
  let bottoms: [String]
  let tops: [String]
  let line: Int
  /// Everything that the file says of it.
  let message: PrototxtMessage
  /// The factors on rate and decay of its parameters, and the names of those that it shares.
  let parameters: [CaffeParameter]
  let lossWeight: Float?

  func fault(_ text: String) -> PrototxtFault {
    PrototxtFault(line: line, text: "layer '\(name)' (\(type)): \(text)")
  }

  /// Its settings of a kind, such as `pooling_param`; empty where there are none.
  func settings(_ name: String) throws -> PrototxtMessage {
    try message.message(name) ?? PrototxtMessage(line: line)
  }

  /// Whether it brings data from outside.
  var isData: Bool { Self.dataTypes.contains(type) }
  var isLoss: Bool { type.hasSuffix("Loss") }

  static let dataTypes: Set<String> = [
    "Data", "ImageData", "HDF5Data", "MemoryData", "DummyData", "WindowData",
  ]
}

/// What a file says of one of a layer's parameters.
struct CaffeParameter: Sendable {
  var name: String?
  var rateFactor = 1.0
  var decayFactor = 1.0
}

/// A net as a file in Protocol Buffers' text format describes it.
///
/// Source: the names of fields, types and defaults are those of BVLC's caffe.proto.
struct CaffeNet: Sendable {
  let path: String
  let name: String
  /// What it reads from outside.
  let inputs: [CaffeInput]
  private let layers: [(layer: CaffeLayer, rules: PhaseRules)]

  /// Which phases a layer belongs to.
  private struct PhaseRules: Sendable {
    let includes: [PrototxtMessage]
    let excludes: [PrototxtMessage]

    func contains(_ phase: CaffePhase) throws -> Bool {
      guard includes.isEmpty || excludes.isEmpty else {
        throw PrototxtFault(
          line: excludes[0].line, text: "exclude: beside include; a layer has one of them")
      }
      if includes.isEmpty { return try !excludes.contains { try Self.fits($0, phase) } }
      return try includes.contains { try Self.fits($0, phase) }
    }

    /// Whether it belongs to stages, by which a solver has several nets for testing.
    var namesStages: Bool { includes.contains { $0.last("stage") != nil } }

    /// Nets are built at level 0, without stages.
    private static func fits(_ rule: PrototxtMessage, _ phase: CaffePhase) throws -> Bool {
      if let field = rule.last("phase") {
        guard let named = CaffePhase(rawValue: try field.word()) else {
          throw field.fault("expected TRAIN or TEST, got '\(try field.word())'")
        }
        if named != phase { return false }
      }
      let (lowest, highest) = (try rule.number("min_level") ?? 0, try rule.number("max_level") ?? 0)
      return rule.all("stage").isEmpty && lowest <= 0 && highest >= 0
    }
  }

  /// Reads a file.
  ///
  /// - Throws: ``TernError`` with the line that is wrong.
  init(contentsOf path: String) throws {
    let root = try PrototxtReader.message(contentsOf: path)
    do { try self.init(root, path: path) } catch let fault as PrototxtFault {
      throw fault.error(in: path)
    }
  }

  private init(_ file: PrototxtMessage, path: String) throws {
    self.path = path
    // A solver's file may have the net in it.
    let root = try file.message("net_param") ?? file.message("train_net_param") ?? file
    name = try root.text("name") ?? path.pathStem
    var layers: [(CaffeLayer, PhaseRules)] = []
    for message in try root.messages("layer") { layers.append(try Self.layer(message)) }
    for message in try CaffeV0.upgraded(root.messages("layers")) {
      layers.append(try Self.oldLayer(message))
    }
    if let first = root.fields.first(where: { !Self.known.contains($0.name) }) {
      let hint = EditDistance.nearest(to: first.name, among: Self.known)
      throw PrototxtFault(
        line: first.line,
        text: "a net has no field '\(first.name)'" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    guard !layers.isEmpty else { throw PrototxtFault(line: 1, text: "a net without layers") }
    self.layers = layers
    inputs = try CaffeInputs.all(
      root,
      layers.filter { try $1.contains(.train) || $1.contains(.test) || $1.namesStages }.map(\.0))
  }

  private static let known = [
    "name", "input", "input_dim", "input_shape", "layer", "layers", "force_backward", "state",
    "debug_info",
  ]

  /// The layers of a phase, in order.
  func layers(in phase: CaffePhase) throws -> [CaffeLayer] {
    try layers.filter { try $0.rules.contains(phase) }.map(\.layer)
  }

  /// The losses among a phase's layers, or those of the net for training where it has none.
  func losses(of layers: [CaffeLayer]) throws -> [CaffeLayer] {
    let own = layers.filter(\.isLoss)
    return try own.isEmpty ? self.layers(in: .train).filter(\.isLoss) : own
  }

  /// The layers that are in nets for testing of any stage, and in none for training.
  func stagedTestLayers() throws -> [CaffeLayer] {
    try layers.filter { try $0.rules.namesStages && !$0.rules.contains(.train) }.map(\.layer)
  }

  // MARK: Layers

  private static func layer(_ message: PrototxtMessage) throws -> (CaffeLayer, PhaseRules) {
    guard let name = try message.text("name") else {
      throw PrototxtFault(line: message.line, text: "a layer without a name")
    }
    guard let type = message.last("type") else {
      throw PrototxtFault(line: message.line, text: "layer '\(name)' has no type")
    }
    guard case .string(let type) = type.value else {
      throw type.fault("expected the type of layer '\(name)' in quotes")
    }
    let parameters = try message.messages("param").map { spec in
      CaffeParameter(
        name: try spec.text("name"), rateFactor: try factor(spec, "lr_mult"),
        decayFactor: try factor(spec, "decay_mult"))
    }
    return try layer(message, name: name, type: type, parameters: parameters)
  }

  private static func factor(_ spec: PrototxtMessage, _ name: String) throws -> Double {
    let factor = try spec.number(name) ?? 1
    guard factor >= 0 else { throw spec.last(name)!.fault("expected at least 0, got \(factor)") }
    return factor
  }

  private static func layer(
    _ message: PrototxtMessage, name: String, type: String, parameters: [CaffeParameter]
  ) throws -> (CaffeLayer, PhaseRules) {
    guard !name.isEmpty, !name.contains(where: { ";:*,=".contains($0) || $0.isNewline }) else {
      throw PrototxtFault(
        line: message.line, text: "a layer is called '\(name)'; names have no ; : * , or =")
    }
    let layer = CaffeLayer(
      name: name, type: type, bottoms: try message.texts("bottom"), tops: try message.texts("top"),
      line: message.line, message: message, parameters: parameters,
      lossWeight: try message.number("loss_weight").map { Float($0) })
    return (
      layer,
      PhaseRules(
        includes: try message.messages("include"), excludes: try message.messages("exclude"))
    )
  }

  /// A layer in the form of before 2014: types are names of an enumeration, factors stand beside.
  private static func oldLayer(_ message: PrototxtMessage) throws -> (CaffeLayer, PhaseRules) {
    guard let name = try message.text("name") else {
      throw PrototxtFault(line: message.line, text: "a layer without a name")
    }
    guard let field = message.last("type") else {
      throw PrototxtFault(line: message.line, text: "layer '\(name)' has no type")
    }
    guard case .word(let old) = field.value, let type = oldTypes[old] else {
      throw field.fault(
        "layer '\(name)': expected a type of 'layers' such as CONVOLUTION, got '\(try field.word())'"
      )
    }
    let rates = try message.all("blobs_lr").map { try $0.number() }
    let decays = try message.all("weight_decay").map { try $0.number() }
    let shared = try message.texts("param")
    guard rates.allSatisfy({ $0 >= 0 }), decays.allSatisfy({ $0 >= 0 }) else {
      throw PrototxtFault(line: message.line, text: "layer '\(name)': a factor below 0")
    }
    let parameters = (0..<max(rates.count, decays.count, shared.count)).map { index in
      CaffeParameter(
        name: index < shared.count ? shared[index] : nil,
        rateFactor: index < rates.count ? rates[index] : 1,
        decayFactor: index < decays.count ? decays[index] : 1)
    }
    return try layer(message, name: name, type: type, parameters: parameters)
  }

  /// The types of old, as they are called since.
  private static let oldTypes: [String: String] = [
    "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData", "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss", "EXP": "Exp", "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data", "HINGE_LOSS": "HingeLoss", "IMAGE_DATA": "ImageData",
    "INNER_PRODUCT": "InnerProduct", "LRN": "LRN", "MEMORY_DATA": "MemoryData",
    "POOLING": "Pooling", "POWER": "Power", "RELU": "ReLU", "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss", "SILENCE": "Silence",
    "SLICE": "Slice", "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split",
    "TANH": "TanH", "WINDOW_DATA": "WindowData",
  ]
}
