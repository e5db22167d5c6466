import Tern

/// A case of an operation that needs no file: shapes, attributes, and how inputs are drawn.
///
/// One list of these serves parity with the reference, the gradient check, `tern verify`, and
/// `tern bench`; see ``OpCase/all``.
package struct OpCase: Sendable {
  /// How the elements of an input are drawn. Kinks are avoided, so that a gradient exists.
  package enum Distribution: Hashable, Sendable {
    /// Standard normal, at least 0.05 away from 0.
    case normal
    case uniform(Float, Float)
    /// Distinct multiples of 1/64 in random order, so that a maximum is unique.
    case distinct
    /// Whole numbers from −4 to 4: sums of products are exact, so results must be too.
    case whole
    /// −1 or 1.
    case signs
    /// 0 or 1.
    case bits
    /// Integers (int32) of 0..<count.
    case indices(Int)
    /// One integer (int32).
    case integer(Int32)
    /// Positive rows that sum to 1.
    case probabilities
  }

  package struct Input: Hashable, Sendable {
    package let shape: Shape
    package let distribution: Distribution

    package init(_ shape: Shape, _ distribution: Distribution = .normal) {
      self.shape = shape
      self.distribution = distribution
    }

    package var type: TensorType {
      switch distribution {
      case .indices, .integer: TensorType(shape, .int32)
      default: TensorType(shape)
      }
    }
  }

  package let operation: String
  /// What sets the case apart, such as `stride2-odd`.
  package let label: String
  package let attributes: [String: AttributeValue]
  package let inputs: [String: Input]
  /// Whether every element must come out exactly.
  package let isExact: Bool
  /// Scales the absolute tolerance: the square root of the terms that are summed.
  package let terms: Int

  package init(
    _ operation: String, _ label: String, _ attributes: [String: AttributeValue] = [:],
    _ inputs: [String: Input], isExact: Bool = false, terms: Int = 1
  ) {
    self.operation = operation
    self.label = label
    self.attributes = attributes
    self.inputs = inputs
    self.isExact = isExact
    self.terms = terms
  }

  package var name: String { "\(operation)/\(label)" }

  /// Every built-in case.
  package static let all: [OpCase] =
    elementwise + binary + reduction + movement + matmul + convolution + pooling + interpolation
    + softmax + normalization + embedding + pixels + attention + losses + recurrent + dropout
    + random
    + optimizers
}

extension OpCase {
  /// The values of the inputs, drawn by Philox from the case's name.
  package func drawInputs() -> [String: HostTensor] {
    Dictionary(
      uniqueKeysWithValues: inputs.map { name, input in
        (name, Self.draw(input, key: "\(self.name).\(name)"))
      })
  }

  package static func draw(_ input: Input, key: String) -> HostTensor {
    let count = input.shape.elementCount
    let hash = FNV1a.hash32(key.utf8)
    let generator = Philox(seed: 0, stream: .data)
    func uniforms() -> [Float] { generator.uniforms(count, hash) }
    switch input.distribution {
    case .normal:
      return HostTensor(
        input.shape,
        generator.normals(count, hash).map { abs($0) < 0.05 ? $0 + ($0 < 0 ? -0.1 : 0.1) : $0 })
    case .uniform(let low, let high):
      return HostTensor(input.shape, uniforms().map { low + (high - low) * $0 })
    case .distinct:
      return HostTensor(
        input.shape,
        generator.permutation(count, hash).map { (Float($0) - Float(count / 2) + 0.5) / 64 })
    case .whole: return HostTensor(input.shape, uniforms().map { Float(Int($0 * 9) - 4) })
    case .signs: return HostTensor(input.shape, uniforms().map { $0 < 0.5 ? Float(-1) : 1 })
    case .bits: return HostTensor(input.shape, uniforms().map { $0 < 0.5 ? Float(0) : 1 })
    case .indices(let limit):
      return HostTensor(input.shape, uniforms().map { Int32($0 * Float(limit)) })
    case .integer(let value):
      return HostTensor(input.shape, [Int32](repeating: value, count: count))
    case .probabilities:
      let columns = input.shape.last ?? 1
      var values = uniforms().map { $0 + 0.05 }
      for row in 0..<count / columns {
        let sum = values[row * columns..<(row + 1) * columns].reduce(0, +)
        for i in row * columns..<(row + 1) * columns { values[i] /= sum }
      }
      return HostTensor(input.shape, values)
    }
  }

  /// The inputs a gradient is asked for: those of floats that are not targets of a loss.
  package var differentiatedInputs: [String] {
    inputs.filter { name, input in
      Self.isDifferentiable(name, input.type) && differentiates(name)
    }.keys.sorted()
  }

  /// Whether a gradient arrives at an output of that name, or is asked for at an input.
  package static func isDifferentiable(_ name: String, _ type: TensorType) -> Bool {
    type.dataType == .float32 && !constantInputs.contains(name)
  }

  /// Inputs that PyTorch's losses and normalisations do not differentiate by.
  private static let constantInputs: Set<String> = [
    "target", "running_mean", "running_var", "pos_weight",
  ]

  /// Whether the operation can be differentiated with respect to what it is given.
  private func differentiates(_ name: String) -> Bool {
    // What is drawn jumps.
    if operation == "bernoulli" { return false }
    // Class weights of a loss are settings, not parameters.
    return
      !(operation.hasSuffix("loss") || operation.hasPrefix("cross_entropy")
      || operation.hasPrefix("binary_cross_entropy")) || name != "weight"
  }

  /// The case without expected values; its gradients name those that are wanted.
  func draft() throws -> ConformanceCase {
    let values = drawInputs()
    var cotangents: [String: HostTensor] = [:]
    for (output, type) in try outputTypes() where Self.isDifferentiable(output, type) {
      cotangents[output] = Self.draw(
        Input(type.shape, isExact ? .whole : .normal), key: "\(name).cotangent.\(output)")
    }
    let isOptimizer = operation.hasPrefix("optimizer.")
    let wanted = isOptimizer ? [] : differentiatedInputs
    return ConformanceCase(
      name: name, operation: operation, attributes: attributes,
      relativeTolerance: isExact ? 0 : isOptimizer ? 1e-5 : 1e-4,
      absoluteTolerance: isExact ? 0 : isOptimizer ? 1e-6 : 1e-5 * Double(terms).squareRoot(),
      inputs: values,
      cotangents: cotangents,
      gradients: Dictionary(uniqueKeysWithValues: wanted.map { ($0, values[$0]!) }))
  }

  /// The case with what the reference device computes as expected values.
  package func conformanceCase(reference: CaseRunner) throws -> ConformanceCase {
    let draft = try draft()
    let results = try reference.execute(draft)!
    return ConformanceCase(
      name: draft.name, operation: draft.operation, attributes: draft.attributes,
      relativeTolerance: draft.relativeTolerance, absoluteTolerance: draft.absoluteTolerance,
      inputs: draft.inputs, outputs: Self.strip("output.", from: results),
      cotangents: draft.cotangents, gradients: Self.strip("gradient.", from: results))
  }

  private static func strip(_ prefix: String, from results: [String: HostTensor])
    -> [String: HostTensor]
  {
    Dictionary(
      uniqueKeysWithValues: results.compactMap { name, value in
        name.hasPrefix(prefix) ? (String(name.dropFirst(prefix.count)), value) : nil
      })
  }

  /// The operation's outputs by name.
  package func outputTypes() throws -> [(name: String, type: TensorType)] {
    guard let spec = OperationSpec.named(operation) else { return [] }
    let builder = GraphBuilder()
    var tensors: [String: Tensor] = [:]
    for (name, input) in inputs.sorted(by: { $0.key < $1.key }) {
      tensors[name] = try builder.input(name, input.type)
    }
    let outputs = try spec.build(Attributes(operation, attributes), tensors)
    return zip(spec.outputs, outputs).map { ($0, $1.type) }
  }
}
