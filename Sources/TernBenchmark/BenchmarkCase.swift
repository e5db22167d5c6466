import Tern
import TernConformance

/// What of an operation is measured.
package enum BenchmarkPass: String, Hashable, Sendable, CaseIterable {
  case forward
  /// The gradients of the data; of everything where an operation has no weights, or computes them
  /// together.
  case backwardData = "backward_data"
  /// The gradients of the weights; for `matmul` of `other`.
  case backwardWeights = "backward_weights"
}

/// An operation on given shapes.
package struct BenchmarkCase: Sendable {
  /// What `tern bench ops|gemm|conv` selects.
  package enum Kind: String, Hashable, Sendable, CaseIterable { case ops, gemm, conv }

  /// Operation, attributes and shapes.
  package let opCase: OpCase
  /// How often a network has the case.
  package let count: Int
  /// The shapes on one line, such as `[32, 64, 56, 56] -> 128, 3x3, stride 2, padding 1`.
  package let shape: String

  package var operation: String { opCase.operation }
  /// Given by the suite, or else the shapes.
  package var name: String { opCase.label }

  /// What tells the case from any other.
  package var key: String { "\(operation) \(name) \(shape)" }

  package var kind: Kind {
    switch operation {
    case "matmul", "linear": .gemm
    case "conv1d", "conv2d", "conv_transpose2d": .conv
    default: .ops
    }
  }

  /// Reads a case.
  ///
  /// Every case has `op`, and may have `name` and `count`. `conv2d` has `batch`, `in_channels`,
  /// `height`, `width`, `out_channels`, `kernel_size`, and may have `stride`, `padding`, `dilation`,
  /// `groups`, `bias` (false); `linear` has `batch`, `in_features`, `out_features`, and may have
  /// `bias`; `matmul` has `m`, `n`, `k`, and may have `batch`. Any other operation has the shapes of
  /// its inputs under their names, and PyTorch's attributes; an input of integers is
  /// `{"shape": [32, 128], "below": 1000}`. An optimizer has the shape of a `parameter`.
  ///
  /// - Throws: ``TernError`` or ``ShapeError``, saying which key is wrong.
  package init(_ values: [String: AttributeValue]) throws {
    guard case .string(let operation)? = values["op"] else {
      throw TernError(.badData, "'op' is not the name of an operation")
    }
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      try Self.checkSize(value, "\(operation): \(key)")
    }
    var reader = Attributes(
      operation, values.filter { !["op", "name", "count"].contains($0.key) })
    var common = Attributes(operation, values.filter { ["name", "count"].contains($0.key) })
    let name = try common.has("name") ? common.string("name") : nil
    count = try common.int("count", default: 1)
    guard count >= 1 else {
      throw ShapeError(operation, "count", expected: "at least 1", got: "\(count)")
    }
    let content: Content
    switch operation {
    case "conv2d": content = try Self.convolution(&reader)
    case "linear": content = try Self.linear(&reader)
    case "matmul" where reader.has("m"): content = try Self.matmul(&reader)
    case _ where operation.hasPrefix("optimizer."):
      content = try Self.optimizer(operation, reader.values)
    default: content = try Self.general(operation, reader.values)
    }
    shape = content.shape
    opCase = OpCase(operation, name ?? content.shape, content.attributes, content.inputs)
    try validate()
  }

  /// Shapes and attributes in the terms of the operation itself.
  private struct Content {
    let shape: String
    let attributes: [String: AttributeValue]
    let inputs: [String: OpCase.Input]
  }

  // MARK: - The forms of a case

  private static func convolution(_ reader: inout Attributes) throws -> Content {
    let (batch, channels) = (try reader.extent("batch"), try reader.extent("in_channels"))
    let (height, width) = (try reader.extent("height"), try reader.extent("width"))
    let filters = try reader.extent("out_channels")
    let kernel = try reader.ints("kernel_size", count: 2)
    let stride = try reader.ints("stride", count: 2, default: [1, 1])
    let padding = try reader.ints("padding", count: 2, default: [0, 0])
    let dilation = try reader.ints("dilation", count: 2, default: [1, 1])
    let groups = try reader.int("groups", default: 1)
    let hasBias = try reader.bool("bias", default: false)
    try reader.finish()
    guard groups >= 1, channels % groups == 0, filters % groups == 0 else {
      throw ShapeError(
        "conv2d", "groups",
        expected: "a divisor of in_channels \(channels) and out_channels "
          + "\(filters)", got: "\(groups)")
    }
    guard kernel.allSatisfy({ $0 >= 1 }) else {
      throw ShapeError("conv2d", "kernel_size", expected: "at least 1", got: "\(kernel)")
    }
    let input: Shape = [batch, channels, height, width]
    var inputs = [
      "input": OpCase.Input(input),
      "weight": OpCase.Input([filters, channels / groups, kernel[0], kernel[1]]),
    ]
    if hasBias { inputs["bias"] = OpCase.Input([filters]) }
    func described(_ name: String, _ pair: [Int], unless standard: Int) -> String {
      if pair == [standard, standard] { return "" }
      return ", \(name) " + (pair[0] == pair[1] ? "\(pair[0])" : "\(pair[0])x\(pair[1])")
    }
    return Content(
      shape: "\(input) -> \(filters), \(kernel[0])x\(kernel[1])"
        + described("stride", stride, unless: 1) + described("padding", padding, unless: 0)
        + described("dilation", dilation, unless: 1) + (groups == 1 ? "" : ", groups \(groups)"),
      attributes: [
        "stride": pair(stride), "padding": pair(padding), "dilation": pair(dilation),
        "groups": .int(groups),
      ], inputs: inputs)
  }

  private static func linear(_ reader: inout Attributes) throws -> Content {
    let batch = try reader.extent("batch")
    let (features, outputs) = (
      try reader.extent("in_features"), try reader.extent("out_features")
    )
    let hasBias = try reader.bool("bias", default: false)
    try reader.finish()
    var inputs = [
      "input": OpCase.Input([batch, features]), "weight": OpCase.Input([outputs, features]),
    ]
    if hasBias { inputs["bias"] = OpCase.Input([outputs]) }
    return Content(shape: "[\(batch), \(features)] -> \(outputs)", attributes: [:], inputs: inputs)
  }

  private static func matmul(_ reader: inout Attributes) throws -> Content {
    let (m, n, k) = (try reader.extent("m"), try reader.extent("n"), try reader.extent("k"))
    let batch = try reader.has("batch") ? [reader.extent("batch")] : []
    try reader.finish()
    return Content(
      shape: "\(Shape(batch + [m, k])) x \(Shape(batch + [k, n]))", attributes: [:],
      inputs: [
        "input": OpCase.Input(Shape(batch + [m, k])),
        "other": OpCase.Input(Shape(batch + [k, n])),
      ])
  }

  private static func optimizer(
    _ operation: String, _ values: [String: AttributeValue]
  ) throws -> Content {
    var attributes = values
    guard let parameter = attributes.removeValue(forKey: "parameter") else {
      throw ShapeError(operation, "parameter", expected: "a shape", got: "nothing")
    }
    let input = try input(parameter, "parameter", operation)
    return Content(
      shape: "\(input.shape)", attributes: attributes,
      inputs: ["parameter": input, "gradient": OpCase.Input(input.shape)])
  }

  private static func general(
    _ operation: String, _ values: [String: AttributeValue]
  ) throws -> Content {
    guard let spec = OperationSpec.named(operation) else {
      let near = EditDistance.nearest(to: operation, among: OperationSpec.all.map(\.name))
      throw TernError(
        .badData, "unknown operation '\(operation)'" + (near.map { "; did you mean \($0)?" } ?? ""))
    }
    var attributes: [String: AttributeValue] = [:]
    var inputs: [String: OpCase.Input] = [:]
    for (key, value) in values {
      let base = key.prefix { $0 != "." }
      if spec.inputs.contains(where: { $0 == base || $0 == base + "?" || $0 == base + "*" }) {
        inputs[key] = try input(value, key, operation)
      } else {
        attributes[key] = value
      }
    }
    let shapes = spec.inputs.flatMap { name in
      let base = name.filter { $0 != "?" && $0 != "*" }
      return inputs.keys.filter { $0 == base || $0.hasPrefix(base + ".") }.sorted()
    }.prefix(3).map { "\(inputs[$0]!.shape)" }
    let settings = attributes.sorted { $0.key < $1.key }.map { ", \($0.key) \($0.value)" }
    return Content(
      shape: shapes.joined(separator: " ") + settings.joined(), attributes: attributes,
      inputs: inputs)
  }

  /// An input of a general case: a shape, or shape and limit of integers.
  private static func input(
    _ value: AttributeValue, _ name: String, _ operation: String
  ) throws -> OpCase.Input {
    if case .map(let map) = value {
      var reader = Attributes("\(operation): \(name)", map)
      let shape = Shape(try reader.ints("shape"))
      let limit = try reader.extent("below")
      try reader.finish()
      return OpCase.Input(shape, .indices(limit))
    }
    var reader = Attributes(operation, [name: value])
    return OpCase.Input(
      Shape(try reader.ints(name)), BenchmarkData.distribution(of: name, in: operation))
  }

  private static func pair(_ values: [Int]) -> AttributeValue {
    .list(values.map(AttributeValue.int))
  }

  // MARK: - Limits

  /// No tensor has more elements: kernels count in 32 bits.
  private static let maximumElementCount = Int(Int32.max)

  /// Keeps whatever a shape is computed from so small that computing cannot overflow.
  private static func checkSize(_ value: AttributeValue, _ name: String) throws {
    switch value {
    case .int(let number):
      guard (-maximumElementCount...maximumElementCount).contains(number) else {
        throw TernError(.badData, "\(name): \(number) is too large")
      }
    case .list(let values):
      guard values.count <= 16 else { throw TernError(.badData, "\(name): too many numbers") }
      var product = 1
      for element in values {
        try checkSize(element, name)
        guard case .int(let number) = element else { continue }
        product *= max(abs(number), 1)
        guard product <= maximumElementCount else {
          throw TernError(.badData, "\(name): \(value) is too large")
        }
      }
    case .map(let values): for value in values.values { try checkSize(value, name) }
    default: break
    }
  }

  private func validate() throws {
    func check(_ type: TensorType, _ name: String) throws {
      let extents = type.shape.dimensions
      guard extents.allSatisfy({ $0 >= 1 }) else {
        throw ShapeError(operation, name, expected: "extents of at least 1", got: "\(type.shape)")
      }
      let limit = Self.maximumElementCount
      guard Shape.elementCount(ofExtents: extents, limit: limit) != nil else {
        throw ShapeError(
          operation, name, expected: "at most \(limit) elements", got: "\(type.shape)")
      }
    }
    for (name, input) in opCase.inputs.sorted(by: { $0.key < $1.key }) {
      try check(input.type, name)
    }
    for pass in passes {
      let kernel = try KernelGraph(self, pass)
      for node in kernel.graph.nodes {
        for type in kernel.graph.types(node.outputs) { try check(type, node.label) }
      }
    }
  }
}

extension Attributes {
  fileprivate mutating func extent(_ name: String) throws -> Int {
    let value = try int(name)
    guard value >= 1 else {
      throw ShapeError(operation, name, expected: "at least 1", got: "\(value)")
    }
    return value
  }
}
