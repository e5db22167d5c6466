import Foundation
import Tern
import Testing

/// Networks written as YAML: what they mean.
@Suite struct ModelFileTests {
  private func model(_ layers: String, header: String = "") throws -> Model {
    try ModelFixture.model(layers, header: header)
  }

  private func names(_ model: Model) throws -> [String] {
    try model.inferenceGraph(batchSize: 1).context.parameters.map(\.name)
  }

  @Test func blocksAreRepeatedAndNamesJoined() throws {
    let model = try model(
      """
        - conv2d: {name: stem, out_channels: 4, kernel_size: 3, padding: 1}
        - residual: {name: stage, repeat: 2, layers: [basic, relu, basic]}
        - concatenation:
            layers:
              - conv2d: {name: narrow, out_channels: 2, kernel_size: 1, bias: false}
              - sequential:
                  name: wide
                  layers:
                    - conv2d: {out_channels: 3, kernel_size: 3, padding: 1, bias: false}
        - flatten
        - linear: {name: head, out_features: 3}
      """,
      header: """
        blocks:
          basic:
            - conv2d: {out_channels: 4, kernel_size: 3, padding: 1, bias: false}
            - batch_norm
        """)
    let basics = (0..<2).flatMap { stage in
      (0..<2).flatMap { block in
        ["conv2d_0.weight", "batch_norm_0.weight", "batch_norm_0.bias"].map {
          "stage.\(stage).basic_\(block).\($0)"
        }
      }
    }
    #expect(
      try names(model).filter { !$0.contains("running") } == ["stem.weight", "stem.bias"] + basics
        + [
          "concatenation_0.narrow.weight", "concatenation_0.wide.conv2d_0.weight", "head.weight",
          "head.bias",
        ])
    let (graph, context) = try model.inferenceGraph(batchSize: 2)
    #expect(graph.type(graph.output(named: "logits")!).shape == [2, 3])
    #expect(context.parameters.last { $0.name == "head.weight" }?.shape == [3, 5 * 64])
  }

  @Test func shortcutsAreCalledDownsample() throws {
    let model = try model(
      """
        - residual:
            activation: none
            scale: 0.5
            layers: [conv2d: {out_channels: 2, kernel_size: 3, stride: 2, padding: 1}]
            shortcut: [conv2d: {out_channels: 2, kernel_size: 1, stride: 2}]
        - flatten
        - linear: {out_features: 3}
      """)
    #expect(try names(model).contains("residual_0.downsample.conv2d_0.weight"))
  }

  @Test func layersReadOthersThanTheOneBefore() throws {
    let model = try model(
      """
        - conv2d: {name: a, out_channels: 2, kernel_size: 1}
        - conv2d: {name: b, out_channels: 2, kernel_size: 1, from: input}
        - add: {from: [a, b]}
        - flatten
        - linear: {out_features: 3}
      """)
    let shapes = try model.inferenceGraph(batchSize: 1).context.parameters.map(\.shape)
    #expect(shapes.prefix(4) == [[2, 1, 1, 1], [2], [2, 1, 1, 1], [2]])
  }

  @Test func initializersAreChosenPerFileAndPerLayer() throws {
    let model = try model(
      """
        - conv2d: {name: a, out_channels: 2, kernel_size: 2}
        - flatten
        - linear: {name: b, out_features: 3, init: small}
        - linear: {name: c, out_features: 3, init: zeros}
        - linear: {name: d, out_features: 3, init: lecun}
      """, header: "init: he")
    let parameters = try model.inferenceGraph(batchSize: 1).context.parameters
    let initializers = Dictionary(
      uniqueKeysWithValues: parameters.map { ($0.name, $0.initializer) })
    #expect(initializers["a.weight"] == .normal(deviation: Float(2.0 / 4).squareRoot()))
    #expect(initializers["a.bias"] == .zeros)
    #expect(initializers["b.weight"] == .normal(deviation: 0.001))
    #expect(initializers["c.weight"] == .zeros)
    #expect(initializers["d.weight"] == .normal(deviation: 1 / Float(3).squareRoot()))
  }
}
