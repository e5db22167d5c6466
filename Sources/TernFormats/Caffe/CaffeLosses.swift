import TernCore
import TernGraph
import TernNN

/// The losses of a net that computes its own: several, or others than that of classes.
///
/// Source: BVLC's documentation of layers and the defaults of caffe.proto.
enum CaffeLosses {
  static let names = [
    "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss",
  ]

  /// More classes have no labels that are read as numbers.
  private static let labelCount = 1 << 12

  /// The loss of a layer, the mean over the batch.
  ///
  /// - Parameters:
  ///   - inputs: its bottoms; `nil` for the labels of the data.
  ///   - labels: those, [N] int32, or numbers [N, T].
  static func loss(
    _ layer: CaffeLayer, _ inputs: [Tensor?], labels: () throws -> Tensor
  ) throws -> Tensor {
    let expected = layer.type == "ContrastiveLoss" ? 3 : 2
    guard inputs.count == expected, let x = inputs[0] else {
      throw layer.fault("expected \(expected) bottoms, of which the first is no label")
    }
    guard layer.message.last("loss_param") == nil else {
      throw layer.fault("a loss_param is not known here")
    }
    let perSample = 0.5 / Float(x.shape[0])
    /// A bottom of the same shape, or the labels as numbers.
    func target() throws -> Tensor {
      let target = try inputs[1] ?? numbers(of: labels())
      guard target.shape.elementCount == x.shape.elementCount else {
        throw layer.fault("bottoms of shapes \(x.shape) and \(target.shape)")
      }
      return try target.reshape(x.shape)
    }
    switch layer.type {
    case "EuclideanLoss": return try x.mseLoss(target(), reduction: .sum).affine(scale: perSample)
    case "SigmoidCrossEntropyLoss":
      return try x.binaryCrossEntropyWithLogits(target(), reduction: .sum)
        .affine(scale: 2 * perSample)
    case "SoftmaxWithLoss":
      guard inputs[1] == nil else { throw layer.fault("the second bottom is not the data's label") }
      return try rows(x, layer).crossEntropy(labels())
    case "HingeLoss":
      guard inputs[1] == nil else { throw layer.fault("the second bottom is not the data's label") }
      let scores = try rows(x, layer)
      let signs = try numbers(labels(), count: scores.shape[1], isOneHot: true)
      let margins = try (scores * signs).affine(scale: -1, shift: 1).relu()
      switch try layer.settings("hinge_loss_param").word("norm") ?? "L1" {
      case "L1", "1": return try margins.sum().affine(scale: 2 * perSample)
      case "L2", "2": return try margins.square().sum().affine(scale: 2 * perSample)
      case let other: throw layer.fault("norm \(other); L1 and L2 are known")
      }
    case "ContrastiveLoss":
      guard let other = inputs[1], inputs[2] == nil, other.shape == x.shape else {
        throw layer.fault("expected two bottoms of one shape, and the data's label")
      }
      let settings = try layer.settings("contrastive_loss_param")
      guard try !settings.truth("legacy_version", false) else {
        throw layer.fault("legacy_version is not known here")
      }
      let margin = Float(try settings.number("margin") ?? 1)
      let (a, b) = (try flat(x), try flat(other))
      let together = try numbers(labels(), count: 2).reshape([x.shape[0]])
      return try a.contrastiveLoss(b, target: together, margin: margin)
    default:
      throw layer.fault(
        "a loss that is not trained here; known are \(names.joined(separator: ", "))")
    }
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
