import TernCore
import TernGraph

/// Makes layers from PyTorch's functional names and arguments.
public enum LayerFactory {
  /// Layers with parameters or a state of their own; every other operation is a ``Functional``.
  private static let makers: [String: @Sendable (inout Attributes) throws -> any Layer] = [
    "conv2d": { a in
      Conv2D(
        outChannels: try a.int("out_channels"), kernelSize: try a.ints("kernel_size", count: 2),
        stride: try a.ints("stride", count: 2, default: [1, 1]),
        padding: try a.ints("padding", count: 2, default: [0, 0]),
        dilation: try a.ints("dilation", count: 2, default: [1, 1]),
        groups: try a.int("groups", default: 1), hasBias: try a.bool("bias", default: true))
    },
    "linear": { a in
      Linear(try a.int("out_features"), hasBias: try a.bool("bias", default: true))
    },
    "batch_norm": { a in
      BatchNorm2D(
        epsilon: Float(try a.double("eps", default: 1e-5)),
        momentum: Float(try a.double("momentum", default: 0.1)))
    },
    "dropout": { a in Dropout(Float(try a.double("p", default: 0.5))) },
  ]

  /// - Throws: ``ShapeError`` for an unknown layer or argument.
  public static func make(_ kind: String, _ values: [String: AttributeValue]) throws -> any Layer {
    if let maker = makers[kind] {
      var attributes = Attributes(kind, values)
      let layer = try maker(&attributes)
      try attributes.finish()
      return layer
    }
    guard OperationSpec.named(kind) != nil else {
      let known = makers.keys + OperationSpec.all.map(\.name)
      let hint = EditDistance.nearest(to: kind, among: known.sorted()).map { ", such as '\($0)'" }
      throw ShapeError(kind, "layer", expected: "a known layer\(hint ?? "")", got: "'\(kind)'")
    }
    return Functional(kind, values)
  }
}
