import Foundation
import Tern
import Testing

/// Networks written as YAML: what they mean, and what is said of those that do not fit.
@Suite struct ModelFileTests {
  private func read(_ text: String) throws -> Model {
    let path = NSTemporaryDirectory() + "tern-\(UUID().uuidString).yaml"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    do { return try ModelFile.read(path) } catch let error as TernError {
      throw TernError(error.kind, error.message.replacing(path, with: "net.yaml"))
    }
  }

  /// A file with these layers, whose first stands on line 4.
  private func model(_ layers: String, header: String = "") throws -> Model {
    try read("input: [1, 8, 8]\nclasses: 3\nlayers:\n\(layers)\n\(header)")
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

  static let faults: [(layers: String, header: String, message: String)] = [
    (
      "  - relu\n  - linaer: {out_features: 3}", "",
      "net.yaml:5: layer linaer_0: linaer: layer: expected a known layer, such as 'linear', "
        + "got 'linaer'"
    ),
    (
      "  - residual: {repeat: 2, layers: [relu, conv2d: {out_channels: 2, kernel_size: 3}]}", "",
      "net.yaml:4: layer residual_0.0.add: add: "
    ),
    (
      "  - sequential:\n      name: s\n      layers:\n        - relu\n        - max_pool2d: {}", "",
      "net.yaml:8: layer s.max_pool2d_0: max_pool2d: kernel_size: expected"
    ),
    (
      "  - sequential: {repeat: 0, layers: [relu]}", "",
      "net.yaml:4: layer sequential_0: 'repeat' is not a number from 1 to 1000"
    ),
    (
      "  - sequential: {repeat: 1000, layers: [sequential: {repeat: 1000, layers: [relu]}]}", "",
      "the network has more than 10000 layers"
    ),
    ("  - sequential", "", "net.yaml:4: layer sequential_0: expected 'layers', a list"),
    (
      "  - concatenation: {layers: [relu], scale: 2}", "",
      "net.yaml:4: layer concatenation_0: concatenation has no argument 'scale'"
    ),
    (
      "  - a", "blocks: {a: [b], b: [a]}", "layer a_0.b_0.a_0: block 'a' contains itself"
    ),
    ("  - relu", "blocks: {relu: [tanh]}", "block 'relu' has the name of a layer"),
    (
      "  - flatten\n  - linear: {out_features: 3, init: gauss}", "",
      "net.yaml:5: layer linear_0: linear: init: expected one of standard, zeros, small"
    ),
    (
      "  - relu: {name: a}\n  - relu: {from: b}", "",
      "net.yaml:5: relu_1: 'from' names 'b', which is not a layer above"
    ),
    ("  - relu: {name: a}\n  - relu: {name: a}", "", "net.yaml:5: two layers are named 'a'"),
    (
      "  - conv2d: {out_channels: 2, kernel_size: 3}\n  - max_pool2d: {kernel_size: 9}", "",
      "net.yaml:5: layer max_pool2d_0: max_pool2d: input: expected"
    ),
  ]

  @Test(arguments: faults) func faultsNameLineAndLayer(
    fault: (layers: String, header: String, message: String)
  ) throws {
    let error = #expect(throws: TernError.self) { try model(fault.layers, header: fault.header) }
    #expect(error?.kind == .badData)
    let message = try #require(error?.message)
    #expect(message.contains(fault.message), "\(message)")
    #expect(!message.contains("\n"))
  }
}
