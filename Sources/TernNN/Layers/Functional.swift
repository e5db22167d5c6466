import TernCore
import TernGraph

/// An operation without parameters, by PyTorch's functional name: `relu`, `max_pool2d`, `flatten`,
/// `add`, `cat`, …
public struct Functional: Layer {
  public let kind: String
  /// PyTorch's arguments, by name.
  public let attributes: [String: AttributeValue]

  /// The operation of that name: `Functional("leaky_relu", ["negative_slope": .double(0.2)])`.
  public init(_ kind: String, _ attributes: [String: AttributeValue] = [:]) {
    self.kind = kind
    self.attributes = attributes
  }

  /// A square max-pooling window.
  ///
  /// - Parameter ceilMode: whether windows that reach over the edge count.
  public static func maxPool2D(
    _ kernel: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false
  ) -> Functional {
    Functional(
      "max_pool2d",
      [
        "kernel_size": .int(kernel), "stride": .int(stride ?? kernel), "padding": .int(padding),
        "ceil_mode": .bool(ceilMode),
      ])
  }

  /// A square averaging window.
  public static func avgPool2D(_ kernel: Int, stride: Int? = nil) -> Functional {
    Functional("avg_pool2d", ["kernel_size": .int(kernel), "stride": .int(stride ?? kernel)])
  }

  /// Enlarges images `factor` times, by repeating pixels or `bilinear` between them.
  public static func upsample2D(_ factor: Int, mode: String = "nearest") -> Functional {
    Functional("interpolate", ["scale_factor": .int(factor), "mode": .string(mode)])
  }

  /// Averages over windows that divide the input into `extent` × `extent` parts.
  public static func adaptiveAvgPool2D(_ extent: Int) -> Functional {
    Functional("adaptive_avg_pool2d", ["output_size": .int(extent)])
  }

  /// max(x, 0)
  public static let relu = Functional("relu")
  /// min(max(x, 0), 6)
  public static let relu6 = Functional("hardtanh", ["min_val": .int(0), "max_val": .int(6)])
  /// Puts zeros around images: left, right, top, bottom, and front, back for channels.
  public static func pad(_ amounts: [Int]) -> Functional {
    Functional("pad", ["pad": .list(amounts.map(AttributeValue.int))])
  }

  /// Joins along the channels.
  public static let cat = Functional("cat", ["dim": .int(1)])
  /// All axes behind the first as one: [N, *] → [N, F].
  public static let flatten = Functional("flatten")

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    guard let operation = OperationSpec.named(kind) else {
      throw ShapeError(kind, "layer", expected: "a known operation", got: "'\(kind)'")
    }
    var named: [String: Tensor] = [:]
    if let list = operation.inputs.first(where: { $0.hasSuffix("*") }) {
      for (i, input) in inputs.enumerated() { named["\(list.dropLast()).\(i)"] = input }
    } else {
      guard inputs.count <= operation.inputs.count else {
        throw ShapeError(
          kind, "from", expected: "at most \(operation.inputs.count) layers to read",
          got: "\(inputs.count)")
      }
      for (name, input) in zip(operation.inputs, inputs) { named[name] = input }
    }
    let output = try operation.build(Attributes(kind, attributes), named)[0]
    if kind.hasPrefix("adaptive"), output.shape != inputs[0].shape {
      context.endField(output)
    } else if kind == "interpolate" {
      context.recordEnlargement(
        output, from: inputs[0],
        factor: Double(output.shape.last!) / Double(inputs[0].shape.last!), kernel: 1)
    } else if kind.contains("pool2d"), !kind.hasPrefix("adaptive") {
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
