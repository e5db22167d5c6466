import TernCore
import TernGraph

/// A loss by its name: the operation of that functional name, or `perceptron`.
///
/// As text, `--loss` and model files: `huber_loss`, or with attributes `huber_loss:delta=0.5`;
/// `weight=W` multiplies it (Caffe's `loss_weight`).
public struct LossFunction: Hashable, Sendable {
  /// An operation's functional name, such as `cross_entropy`, or `perceptron`.
  public let name: String
  /// The attributes of the operation that are given.
  public var attributes: [String: AttributeValue]
  /// What the loss is multiplied by.
  public var weight: Double
  /// How much of a target is spread over all classes, 0 to 1.
  public var labelSmoothing: Double
  /// What the samples of each class count; all the same where empty.
  public var classWeights: [Float]

  /// A loss by its name.
  public init(
    _ name: String = "cross_entropy", attributes: [String: AttributeValue] = [:],
    weight: Double = 1, labelSmoothing: Double = 0, classWeights: [Float] = []
  ) {
    self.name = name
    self.attributes = attributes
    self.weight = weight
    self.labelSmoothing = labelSmoothing
    self.classWeights = classWeights
  }

  /// What is measured: what the network says of each sample, however it is taught.
  var plain: LossFunction { LossFunction(name, attributes: attributes, weight: weight) }

  /// What a loss holds outputs against.
  enum TargetForm {
    /// Class numbers.
    case classes
    /// A number for each output.
    case numbers
    /// A number in 0…1 for each output.
    case probabilities
    /// −1 or 1 for each output.
    case signs
    /// Whether the two outputs belong together, a number per sample.
    case pairs
  }

  private static let forms: [String: TargetForm] = [
    "cross_entropy": .classes, "nll_loss": .classes, perceptronName: .classes,
    "mse_loss": .numbers, "l1_loss": .numbers, "huber_loss": .numbers,
    "gaussian_nll_loss": .numbers,
    "binary_cross_entropy": .probabilities, "binary_cross_entropy_with_logits": .probabilities,
    "kl_div": .probabilities,
    hebbianName: .signs, adalineName: .signs, "hinge_loss": .signs, "squared_hinge_loss": .signs,
    "soft_margin_loss": .signs,
    "contrastive_loss": .pairs,
  ]

  /// The names that a loss can have.
  public static let names =
    OperationSpec.losses.map(\.name) + [perceptronName, hebbianName, adalineName]

  var form: TargetForm { Self.forms[name] ?? .numbers }

  /// How many outputs a network has for each number to be predicted: a mean and the logarithm of a
  /// variance for the Gaussian loss whose variance is not given.
  public var outputsPerTarget: Int {
    name == Self.gaussianName && attributes["var"] == nil ? 2 : 1
  }

  /// Reads `NAME` or `NAME:KEY=VALUE,KEY=VALUE`.
  ///
  /// - Throws: ``TernError`` of kind `usage` for an unknown loss, with the nearest known one, and for
  ///   attributes that are no attributes.
  public init(parsing text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard Self.names.contains(name) else {
      let hint = EditDistance.nearest(to: name, among: Self.names)
      throw TernError(
        .usage,
        "loss: unknown loss '\(name)'; "
          + (hint.map { "did you mean '\($0)'?" }
            ?? "known are \(Self.names.joined(separator: ", "))"))
    }
    var attributes: [String: AttributeValue] = [:]
    var weight = 1.0
    for part in parts.dropFirst().first?.split(separator: ",") ?? [] {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2, let value = Self.value(pair[1]) else {
        throw TernError(.usage, "loss: expected \(name):KEY=VALUE, got '\(part)'")
      }
      if pair[0] == "weight" {
        guard let number = value.number, number > 0, number.isFinite else {
          throw TernError(.usage, "loss: weight: expected a positive number, got '\(pair[1])'")
        }
        weight = number
      } else {
        attributes[String(pair[0])] = value
      }
    }
    guard attributes["reduction"] == nil else {
      throw TernError(.usage, "loss: reduction: a run's loss is the mean over its samples")
    }
    self.init(name, attributes: attributes, weight: weight)
    try check()
  }

  private static func value(_ text: Substring) -> AttributeValue? {
    switch text {
    case "true": .bool(true)
    case "false": .bool(false)
    case "": nil
    default: Int(text).map(AttributeValue.int) ?? Double(text).map(AttributeValue.double)
    }
  }

  /// Builds the loss once, so that an attribute that it does not have is found.
  private func check() throws {
    let builder = GraphBuilder()
    do {
      let x = try builder.input("x", TensorType([2, 2 * outputsPerTarget]))
      let targets =
        switch form {
        case .classes: try builder.input("t", TensorType([2], .int32))
        case .pairs: try builder.input("t", TensorType([2, 1]))
        default: try builder.input("t", TensorType([2, 2]))
        }
      _ = try apply(form == .pairs ? [x, x] : [x], targets)
    } catch let error as ShapeError {
      throw TernError(.usage, "loss: \(error)")
    }
  }

  /// The mean over the batch of the largest score less that of the true class: what the perceptron
  /// rule descends, for it is zero where the true class wins. Rosenblatt, 1958.
  static let perceptronName = "perceptron"
  /// The mean over the batch of −Σ t·y: Hebb's rule descends it, whatever the outputs y are. Hebb, 1949.
  static let hebbianName = "hebbian"
  /// The mean over the batch of ½ Σ (t − y)²: least mean squares. Widrow and Hoff, 1960.
  static let adalineName = "adaline"
  private static let gaussianName = "gaussian_nll_loss"

  private func perceptron(_ scores: Tensor, _ targets: Tensor) throws -> Tensor {
    guard scores.shape.rank == 2 else {
      throw ShapeError(name, "input", expected: "scores [N, C]", got: "\(scores.shape)")
    }
    guard labelSmoothing == 0, classWeights.isEmpty else {
      throw TernError(.usage, "the perceptron rule has neither label smoothing nor class weights")
    }
    return try scores.amax([1]).mean() + scores.nllLoss(targets)
  }

  private func linearRule(
    _ outputs: Tensor, _ targets: Tensor, _ reduction: LossReduction
  ) throws -> Tensor {
    guard outputs.shape.rank == 2, targets.shape == outputs.shape else {
      throw ShapeError(
        name, "target", expected: "1 or -1 per output \(outputs.shape)", got: "\(targets.shape)")
    }
    guard labelSmoothing == 0, classWeights.isEmpty else {
      throw TernError(.usage, "loss \(name) has neither label smoothing nor class weights")
    }
    let sum =
      try
      (name == Self.hebbianName
      ? -(outputs * targets).sum() : (targets - outputs).square().sum().affine(scale: 0.5))
    return reduction == .sum ? sum : try sum.affine(scale: 1 / Float(outputs.shape[0]))
  }

  /// Appends the loss.
  ///
  /// - Parameters:
  ///   - outputs: of the network, [N, …]; two for pairs.
  ///   - targets: in the form that the loss takes.
  ///   - reduction: how the losses of a batch become one number; the perceptron's are averaged.
  func apply(
    _ outputs: [Tensor], _ targets: Tensor, reduction: LossReduction = .mean
  ) throws -> Tensor {
    let loss = try unweighted(outputs, targets, reduction)
    return weight == 1 ? loss : try loss.affine(scale: Float(weight))
  }

  private func unweighted(
    _ outputs: [Tensor], _ targets: Tensor, _ reduction: LossReduction
  ) throws -> Tensor {
    let x = outputs[0]
    if name == Self.perceptronName { return try perceptron(x, targets) }
    if [Self.hebbianName, Self.adalineName].contains(name) {
      return try linearRule(x, targets, reduction)
    }
    guard let operation = OperationSpec.named(name), operation.inputs.contains("target") else {
      throw TernError(.usage, "unknown loss '\(name)'")
    }
    var values = attributes
    if labelSmoothing > 0 { values["label_smoothing"] = .double(labelSmoothing) }
    if reduction != .mean { values["reduction"] = .string(reduction.rawValue) }
    var inputs = ["input": x, "target": targets]
    if form == .pairs {
      guard outputs.count == 2 else {
        throw ShapeError(name, "input", expected: "a network with two outputs", got: "one")
      }
      inputs = [
        "input1": x, "input2": outputs[1], "target": try targets.reshape([targets.shape[0]]),
      ]
    }
    if name == Self.gaussianName {
      // The variance is given, or the second half of the outputs is its logarithm.
      if let variance = values.removeValue(forKey: "var")?.number {
        inputs["var"] = try x.affine(scale: 0, shift: Float(variance))
      } else {
        let (mean, variance) = try Self.gaussian(x)
        inputs["input"] = mean
        inputs["var"] = variance
      }
    }
    if !classWeights.isEmpty {
      inputs["weight"] = x.builder.constant(HostTensor([classWeights.count], classWeights))
    }
    return try operation.build(Attributes(name, values), inputs)[0]
  }

  /// Means [N, T] and variances [N, T] from outputs [N, 2T]: a mean, then the logarithm of a variance for
  /// each.
  private static func gaussian(_ x: Tensor) throws -> (mean: Tensor, variance: Tensor) {
    guard x.shape.rank == 2, x.shape[1] % 2 == 0 else {
      throw ShapeError(
        gaussianName, "input", expected: "a mean and a logarithm of a variance each, [N, 2T]",
        got: "\(x.shape)")
    }
    let count = x.shape[1] / 2
    return (
      try x.narrow(1, start: 0, length: count), try x.narrow(1, start: count, length: count).exp()
    )
  }

  /// What the network predicts: its outputs, or of those with a variance the means.
  func predictions(_ outputs: Tensor) throws -> Tensor {
    outputsPerTarget == 2 ? try Self.gaussian(outputs).mean : outputs
  }
}
