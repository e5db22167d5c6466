import TernCore
import TernGraph
import TernNN

/// The losses of a net that computes its own: several, or others than that of classes.
///
/// Source: BVLC's documentation of layers and the defaults of caffe.proto.
enum CaffeLosses {
  static let names = [
    "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "MultinomialLogisticLoss",
    "SigmoidCrossEntropyLoss", "SoftmaxWithLoss",
  ]

  /// What a loss reads.
  enum Bottom {
    case blob(Tensor)
    /// Labels of the data: classes [N] int32, or numbers [N, T].
    case labels(() throws -> Tensor)
  }

  /// Whether what a loss holds its first bottom against may be any numbers.
  static func takesNumbers(_ type: String) -> Bool {
    ["EuclideanLoss", "SigmoidCrossEntropyLoss"].contains(type)
  }

  /// More classes have no labels that are read as numbers.
  private static let labelCount = 1 << 12

  /// The loss of a layer.
  static func loss(_ layer: CaffeLayer, _ bottoms: [Bottom]) throws -> Tensor {
    let expected = layer.type == "ContrastiveLoss" ? 3 : 2
    guard bottoms.count == expected, case .blob(let x) = bottoms[0] else {
      throw layer.fault("expected \(expected) bottoms, of which the first is no label")
    }
    /// A bottom of the same shape, or the labels as numbers.
    func target() throws -> Tensor {
      let target =
        switch bottoms[1] {
        case .blob(let blob): blob
        case .labels(let labels): try numbers(of: labels())
        }
      guard target.shape.elementCount == x.shape.elementCount else {
        throw layer.fault("bottoms of shapes \(x.shape) and \(target.shape)")
      }
      return try target.reshape(x.shape)
    }
    /// The labels that the last bottom has to be.
    func classes() throws -> Tensor {
      guard case .labels(let labels) = bottoms[expected - 1] else {
        throw layer.fault(
          "the \(expected == 2 ? "second" : "third") bottom is not the data's label")
      }
      return try labels()
    }
    let perSample = 1 / Float(x.shape[0])
    switch layer.type {
    case "EuclideanLoss":
      return try x.mseLoss(target(), reduction: .sum).affine(scale: 0.5 * perSample)
    case "SigmoidCrossEntropyLoss":
      let sum = try x.binaryCrossEntropyWithLogits(target(), reduction: .sum)
      return try sum.affine(
        scale: layer.lossScale(.batchSize, samples: x.shape[0], values: x.shape.elementCount))
    case "SoftmaxWithLoss":
      let sum = try rows(x, layer).crossEntropy(classes(), reduction: .sum)
      return try sum.affine(
        scale: layer.lossScale(.valid, samples: x.shape[0], values: x.shape[0]))
    case "MultinomialLogisticLoss":
      // Of probabilities, which are kept from 0 as Caffe keeps them.
      let logarithms = try rows(x, layer).clamp(min: 1e-20, max: .infinity).log()
      return try logarithms.nllLoss(classes(), reduction: .sum).affine(scale: perSample)
    case "HingeLoss":
      let scores = try rows(x, layer)
      let signs = try numbers(classes(), count: scores.shape[1], isOneHot: true)
      let margins = try (scores * signs).affine(scale: -1, shift: 1).relu()
      switch try layer.settings("hinge_loss_param").word("norm") ?? "L1" {
      case "L1", "1": return try margins.sum().affine(scale: perSample)
      case "L2", "2": return try margins.square().sum().affine(scale: perSample)
      case let other: throw layer.fault("norm \(other); L1 and L2 are known")
      }
    case "ContrastiveLoss":
      guard case .blob(let other) = bottoms[1], other.shape == x.shape else {
        throw layer.fault("expected two bottoms of one shape, and the data's label")
      }
      return try contrastiveLoss(layer, flat(x), flat(other), classes())
    default:
      throw layer.fault(
        "a loss that is not trained here; known are \(names.joined(separator: ", "))")
    }
  }

  /// Pairs of the label 1 belong together, others are to be apart by a margin.
  private static func contrastiveLoss(
    _ layer: CaffeLayer, _ a: Tensor, _ b: Tensor, _ labels: Tensor
  ) throws -> Tensor {
    let settings = try layer.settings("contrastive_loss_param")
    let margin = Float(try settings.number("margin") ?? 1)
    let together =
      try labels.type.dataType == .float32
      ? labels.reshape([a.shape[0]]) : numbers(labels, count: 2).reshape([a.shape[0]])
    guard try settings.truth("legacy_version", false) else {
      return try a.contrastiveLoss(b, target: together, margin: margin)
    }
    // The margin is one of squared distances.
    let squares = try (a - b).square().sum([1])
    let apart = try together.affine(scale: -1, shift: 1)
    let terms = try together * squares + apart * squares.affine(scale: -1, shift: margin).relu()
    return try terms.sum().affine(scale: 0.5 / Float(a.shape[0]))
  }

  /// Labels as numbers, if they are not that.
  private static func numbers(of labels: Tensor) throws -> Tensor {
    labels.type.dataType == .float32 ? labels : try numbers(labels, count: labelCount)
  }

  private static func flat(_ x: Tensor) throws -> Tensor {
    try x.reshape([x.shape[0], x.shape.elementCount / x.shape[0]])
  }

  private static func rows(_ x: Tensor, _ layer: CaffeLayer) throws -> Tensor {
    guard x.shape.elementCount(in: 2..<x.shape.rank) == 1 else {
      throw layer.fault("scores of shape \(x.shape) where [N, C] belongs")
    }
    return try flat(x)
  }

  /// Class numbers as real numbers [N, 1], or as rows of −1 with a 1 at the class's place.
  private static func numbers(
    _ labels: Tensor, count: Int, isOneHot: Bool = false
  ) throws -> Tensor {
    let width = isOneHot ? count : 1
    var table = [Float](repeating: -1, count: count * width)
    for number in 0..<count {
      table[isOneHot ? number * width + number : number] = isOneHot ? 1 : Float(number)
    }
    return try labels.embedding(
      weight: labels.builder.constant(HostTensor([count, width], table)))
  }
}

extension CaffeLayer {
  /// By what a sum of losses is divided.
  enum LossNormalization: String {
    case full = "FULL"
    case valid = "VALID"
    case batchSize = "BATCH_SIZE"
    case one = "NONE"
  }

  /// Whether a loss of classes is the mean over the samples, as it is without settings.
  var hasPlainLoss: Bool {
    message.last("loss_param") == nil && message.last("softmax_param") == nil
  }

  /// What a sum of losses is multiplied by.
  ///
  /// - Parameters:
  ///   - standard: how it is divided where the file does not say it.
  ///   - values: how many terms the sum has. All of them count.
  func lossScale(_ standard: LossNormalization, samples: Int, values: Int) throws -> Float {
    let settings = try settings("loss_param")
    if let field = settings.last("ignore_label") {
      throw PrototxtFault(
        line: field.line, text: "layer '\(name)': ignore_label is not known here")
    }
    if let axis = try self.settings("softmax_param").integer("axis", in: -8...8), axis != 1 {
      throw fault("scores along axis \(axis); along axis 1 they are known here")
    }
    var normalization = standard
    if let field = settings.last("normalization") {
      let word = try field.word()
      guard
        let named = LossNormalization(rawValue: word)
          ?? ["0": .full, "1": .valid, "2": .batchSize, "3": .one][word]
      else { throw field.fault("expected FULL, VALID, BATCH_SIZE or NONE, got '\(word)'") }
      normalization = named
    } else if settings.last("normalize") != nil {
      normalization = try settings.truth("normalize", true) ? .valid : .batchSize
    }
    switch normalization {
    case .full, .valid: return 1 / Float(values)
    case .batchSize: return 1 / Float(samples)
    case .one: return 1
    }
  }
}
