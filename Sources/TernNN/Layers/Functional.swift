import TernCore
import TernGraph

/// An operation without parameters, by PyTorch's functional name: `relu`, `max_pool2d`, `flatten`,
/// `add`, `cat`, …
public struct Functional: Layer {
  public let kind: String
  public let attributes: [String: AttributeValue]

  public init(_ kind: String, _ attributes: [String: AttributeValue] = [:]) {
    self.kind = kind
    self.attributes = attributes
  }

  /// A square max-pooling window.
  public static func maxPool2D(_ kernel: Int, stride: Int? = nil, padding: Int = 0) -> Functional {
    Functional(
      "max_pool2d",
      ["kernel_size": .int(kernel), "stride": .int(stride ?? kernel), "padding": .int(padding)])
  }

  /// Averages over windows that divide the input into `extent` × `extent` parts.
  public static func adaptiveAvgPool2D(_ extent: Int) -> Functional {
    Functional("adaptive_avg_pool2d", ["output_size": .int(extent)])
  }

  public static let relu = Functional("relu")
  public static let flatten = Functional("flatten")

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    guard let operation = OperationSpec.named(kind) else {
      throw ShapeError(kind, "layer", expected: "a known operation", got: "'\(kind)'")
    }
    var named: [String: Tensor] = [:]
    if let list = operation.inputs.first(where: { $0.hasSuffix("*") }) {
      for (i, input) in inputs.enumerated() { named["\(list.dropLast()).\(i)"] = input }
    } else {
      for (name, input) in zip(operation.inputs, inputs) { named[name] = input }
    }
    let output = try operation.build(Attributes(kind, attributes), named)[0]
    if kind.contains("pool2d"), !kind.hasPrefix("adaptive") {
      var attributes = Attributes(kind, attributes)
      let kernel = try attributes.ints("kernel_size", count: 2)
      let stride = try attributes.ints("stride", count: 2, default: kernel)
      let dilation = try attributes.ints("dilation", count: 2, default: [1, 1])
      context.recordWindow(
        output, from: inputs[0], kernel: kernel.max()!, stride: stride.max()!,
        dilation: dilation.max()!)
    }
    return output
  }
}
