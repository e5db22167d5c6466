import TernCore
import TernGraph

/// A network: named layers, each reading the one before or the ones it names.
public struct Model: Sendable {
  public struct Step: Sendable {
    public let name: String
    public let layer: any Layer
    /// The names of the layers it reads; `nil` for the one before.
    public let from: [String]?

    public init(_ name: String, _ layer: any Layer, from: [String]? = nil) {
      self.name = name
      self.layer = layer
      self.from = from
    }
  }

  public let name: String
  /// One sample: [C, H, W].
  public let inputShape: Shape
  public let classCount: Int
  public let steps: [Step]

  public init(name: String, inputShape: Shape, classCount: Int, steps: [Step]) {
    self.name = name
    self.inputShape = inputShape
    self.classCount = classCount
    self.steps = steps
  }

  /// Appends the network to the graph of `x`, and returns its output, for a classifier [N, classes].
  ///
  /// - Throws: ``ShapeError`` where a layer does not fit what it reads.
  public func forward(_ x: Tensor, in context: LayerContext) throws -> Tensor {
    context.beginField(x)
    var outputs: [String: Tensor] = ["input": x]
    var previous = x
    for step in steps {
      let inputs = try step.from.map { names in
        try names.map { name in
          guard let tensor = outputs[name] else {
            throw ShapeError(step.name, "from", expected: "a layer above it", got: "'\(name)'")
          }
          return tensor
        }
      }
      previous = try context.apply(step.layer, named: step.name, to: inputs ?? [previous])
      outputs[step.name] = previous
    }
    return previous
  }

  /// The network in a graph of its own, with input `images` [N, C, H, W] and output `logits`.
  public func inferenceGraph(batchSize: Int) throws -> (graph: Graph, context: LayerContext) {
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let x = try builder.input("images", Shape([batchSize] + inputShape.dimensions))
    builder.output("logits", try forward(x, in: context))
    return (builder.graph, context)
  }

  /// The initial values of all parameters and running statistics.
  public func initialValues(seed: UInt64) throws -> [String: HostTensor] {
    let (_, context) = try inferenceGraph(batchSize: 1)
    return Dictionary(
      uniqueKeysWithValues: context.parameters.map {
        ($0.name, $0.initializer.value($0.shape, name: $0.name, seed: seed))
      })
  }
}
