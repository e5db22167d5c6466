import Foundation
import Tern
import TernCore
import TernData
import TernGraph
import TernNN
import TernTestSupport
import Testing

@testable import TernFormats

/// What the tests of Caffe's formats share: files, and pieces of nets.
enum CaffeFixture {
  static let digits =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/FormatCases/caffe/digits_train_test.prototxt"

  static func withFile<R>(
    _ text: String, _ name: String = "net.prototxt", _ body: (String) throws -> R
  ) throws -> R {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try Data(text.utf8).write(to: URL(fileURLWithPath: workspace.file(name)))
    return try body(workspace.file(name))
  }

  static func model(_ text: String, _ shape: Shape? = nil, classes: Int? = nil) throws -> Model {
    try withFile(text) {
      try CaffeNetwork.model(contentsOf: $0, inputShape: shape, classCount: classes)
    }
  }

  static func solver(_ text: String) throws -> CaffeSolver {
    try withFile("net: 'n.prototxt' \(text)", "s.prototxt") { try CaffeSolver(contentsOf: $0) }
  }

  /// A layer of one kind between an input and the end.
  static func net(_ shape: [Int], _ layers: String) -> String {
    let dims = shape.map { "dim: \($0)" }.joined(separator: " ")
    return """
      name: "one"
      layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 \(dims) } } }
      \(layers)
      """
  }

  // MARK: Pieces

  static func convolution(
    _ name: String, _ bottom: String, _ count: Int, _ kernel: Int, stride: Int = 1, pad: Int = 0,
    group: Int = 1
  ) -> String {
    """
    layer { name: "\(name)" type: "Convolution" bottom: "\(bottom)" top: "\(name)"
      convolution_param { num_output: \(count) kernel_size: \(kernel) stride: \(stride) pad: \(pad) group: \(group)
        weight_filler { type: "gaussian" std: 0.01 } bias_filler { type: "constant" value: 0.1 } } }
    layer { name: "relu_\(name)" type: "ReLU" bottom: "\(name)" top: "\(name)" }

    """
  }

  static func pool(
    _ name: String, _ bottom: String, _ kernel: Int, _ stride: Int, pad: Int = 0,
    _ kind: String = "MAX"
  ) -> String {
    "layer { name: '\(name)' type: 'Pooling' bottom: '\(bottom)' top: '\(name)' "
      + "pooling_param { pool: \(kind) kernel_size: \(kernel) stride: \(stride) pad: \(pad) } }\n"
  }

  static func product(_ name: String, _ bottom: String, _ count: Int) -> String {
    "layer { name: '\(name)' type: 'InnerProduct' bottom: '\(bottom)' top: '\(name)' "
      + "inner_product_param { num_output: \(count) weight_filler { type: 'xavier' } } }\n"
  }

  static func normalization(_ name: String, _ bottom: String) -> String {
    "layer { name: '\(name)' type: 'LRN' bottom: '\(bottom)' top: '\(name)' "
      + "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }\n"
  }

  static func loss(_ name: String, _ bottom: String, _ weight: Double) -> String {
    "layer { name: '\(name)' type: 'SoftmaxWithLoss' bottom: '\(bottom)' bottom: 'label' "
      + "top: '\(name)' loss_weight: \(weight) }\n"
  }

  static let imagenet =
    "layer { name: 'data' type: 'Data' top: 'data' top: 'label' "
    + "transform_param { mirror: true SIZE mean_value: 104 mean_value: 117 mean_value: 123 } "
    + "data_param { batch_size: 32 } }\n"
}
