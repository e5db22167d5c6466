import TernCore
import TernGraph

/// A layer at its place in a block: its name there, and what it reads.
public struct NamedLayer: Sendable {
  /// `nil` for its position in the block, as in PyTorch's `Sequential`: `features.0`.
  public let name: String?
  /// The layer.
  public let layer: any Layer
  /// The names of the layers it reads; `nil` for the one before.
  public let from: [String]?

  /// A layer under a name, which reads the layers `from` instead of the one before.
  public init(_ name: String?, _ layer: any Layer, from: [String]? = nil) {
    self.name = name
    self.layer = layer
    self.from = from
  }
}

extension Layer {
  /// The layer under a name, reading the layer before.
  public func named(_ name: String) -> NamedLayer { NamedLayer(name, self) }

  /// The layer under a name, reading the layers of the same block that are named `from`; `input` is
  /// what the block itself reads.
  public func named(_ name: String, from: String...) -> NamedLayer {
    NamedLayer(name, self, from: from)
  }
}

/// Layers written one below the other; `if` and `for` work as everywhere in Swift.
@resultBuilder
public enum LayerBuilder {
  /// A layer without a name.
  public static func buildExpression(_ layer: any Layer) -> [NamedLayer] {
    [NamedLayer(nil, layer)]
  }
  /// A layer with a name.
  public static func buildExpression(_ layer: NamedLayer) -> [NamedLayer] { [layer] }
  /// Several layers.
  public static func buildExpression(_ layers: [NamedLayer]) -> [NamedLayer] { layers }
  /// One after the other.
  public static func buildBlock(_ parts: [NamedLayer]...) -> [NamedLayer] { parts.flatMap(\.self) }
  /// The layers of a loop.
  public static func buildArray(_ parts: [[NamedLayer]]) -> [NamedLayer] { parts.flatMap(\.self) }
  /// The layers of an `if`, or none.
  public static func buildOptional(_ part: [NamedLayer]?) -> [NamedLayer] { part ?? [] }
  /// The layers of the `if`.
  public static func buildEither(first part: [NamedLayer]) -> [NamedLayer] { part }
  /// The layers of the `else`.
  public static func buildEither(second part: [NamedLayer]) -> [NamedLayer] { part }
}

/// Layers one after the other, or, where they name what they read, any acyclic arrangement.
///
/// ```swift
/// Sequential {
///   Conv2D(6, kernel: 5, padding: 2).named("conv1")
///   Functional.relu
///   Functional.maxPool2D(2)
/// }
/// ```
///
/// A layer without a name is called by its position, so that parameters get PyTorch's names.
public struct Sequential: Layer {
  /// The layers, in order.
  public let layers: [NamedLayer]

  /// These layers, in order.
  public init(_ layers: [NamedLayer]) { self.layers = layers }

  /// The layers that the closure lists, in order.
  public init(@LayerBuilder _ layers: () -> [NamedLayer]) { self.init(layers()) }

  public var kind: String { "sequential" }

  /// - Returns: the output of the last layer; of a block without layers, its input.
  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try results(inputs, named: ["input": inputs[0]], in: context).last
  }

  /// Appends the layers.
  ///
  /// - Parameters:
  ///   - first: what the first layer reads unless it says otherwise.
  ///   - named: what layers may read by name besides those above them.
  /// - Returns: the output of the last layer, and all outputs by the names of their layers.
  func results(
    _ first: [Tensor], named: [String: Tensor], in context: LayerContext
  ) throws -> (last: Tensor, all: [String: Tensor]) {
    var outputs = named
    var previous = first
    for (index, entry) in layers.enumerated() {
      let name = entry.name ?? "\(index)"
      if let from = entry.from {
        previous = try from.map { source in
          guard let tensor = outputs[source] else {
            throw ShapeError(name, "from", expected: "a layer above it", got: "'\(source)'")
          }
          return tensor
        }
      }
      if let network = entry.layer as? any NetworkLayer {
        let results = try network.outputs(reading: outputs, in: context)
        for (name, output) in results { outputs[name] = output }
        previous = [results[0].output]
        continue
      }
      let output = try context.apply(entry.layer, named: name, to: previous)
      outputs[name] = output
      previous = [output]
    }
    return (previous[0], outputs)
  }
}

/// A whole network as a layer: it reads inputs by their names, and has outputs with names of its own.
package protocol NetworkLayer: Layer {
  /// Appends the network.
  ///
  /// - Returns: at least one output.
  func outputs(
    reading inputs: [String: Tensor], in context: LayerContext
  ) throws -> [(name: String, output: Tensor)]
}

extension NetworkLayer {
  package func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try outputs(reading: ["input": inputs[0]], in: context)[0].output
  }
}
