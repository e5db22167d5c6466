import TernCore
import TernGraph
import Testing

/// What does not fit is refused before anything runs, with operation, subject, expected and got.
@Suite struct ShapeErrorTests {
  private func fault(
    _ operation: String, _ attributes: [String: AttributeValue] = [:], _ shapes: [String: Shape]
  ) -> ShapeError? {
    let builder = GraphBuilder()
    do {
      var inputs: [String: Tensor] = [:]
      for (name, shape) in shapes {
        let isInteger =
          ["target", "indices"].contains(name) && !operation.hasPrefix("mse")
          || (name == "input" && operation == "embedding")
        inputs[name] = try builder.input(
          name, TensorType(shape, isInteger ? .int32 : .float32))
      }
      _ = try OperationSpec.named(operation)!.build(Attributes(operation, attributes), inputs)
      return nil
    } catch { return error as? ShapeError }
  }

  @Test func faultsNameOperationAndSubject() throws {
    let cases: [(String, [String: AttributeValue], [String: Shape], String)] = [
      ("conv2d", ["stride": .int(0)], ["input": [1, 3, 8, 8], "weight": [4, 3, 3, 3]], "stride"),
      ("conv2d", ["groups": .int(2)], ["input": [1, 3, 8, 8], "weight": [4, 3, 3, 3]], "groups"),
      (
        "conv2d", ["dilation": .int(0)], ["input": [1, 3, 8, 8], "weight": [4, 3, 3, 3]], "dilation"
      ),
      (
        "conv2d", ["padding": .int(-1)], ["input": [1, 3, 8, 8], "weight": [4, 3, 3, 3]], "padding"
      ),
      ("conv2d", [:], ["input": [1, 2, 8, 8], "weight": [4, 3, 3, 3]], "weight"),
      ("conv2d", [:], ["input": [1, 3, 2, 2], "weight": [4, 3, 3, 3]], "input"),
      ("conv2d", [:], ["input": [3, 8, 8], "weight": [4, 3, 3, 3]], "input"),
      ("conv2d", [:], ["input": [1, 3, 8, 8], "weight": [4, 3, 3, 3], "bias": [3]], "bias"),
      ("conv2d", ["strid": .int(1)], ["input": [1, 3, 8, 8], "weight": [4, 3, 3, 3]], "strid"),
      ("max_pool2d", ["kernel_size": .int(0)], ["input": [1, 1, 4, 4]], "kernel_size"),
      (
        "max_pool2d", ["kernel_size": .int(2), "padding": .int(2)], ["input": [1, 1, 4, 4]],
        "padding"
      ),
      ("linear", [:], ["input": [2, 5], "weight": [3, 4]], "weight"),
      ("matmul", [:], ["input": [2, 5], "other": [4, 3]], "other"),
      ("add", [:], ["input": [2, 5], "other": [4]], "other"),
      ("softmax", ["dim": .int(2)], ["input": [2, 5]], "dim"),
      (
        "layer_norm", ["normalized_shape": .list([.int(4)])], ["input": [2, 5]], "normalized_shape"
      ),
      (
        "layer_norm", ["normalized_shape": .list([.int(5)]), "eps": .double(-1)],
        ["input": [2, 5]], "eps"
      ),
      ("group_norm", ["num_groups": .int(4)], ["input": [2, 6, 3, 3]], "num_groups"),
      ("cross_entropy", [:], ["input": [4, 10], "target": [5]], "target"),
      ("mse_loss", [:], ["input": [4, 10], "target": [4]], "target"),
      ("reshape", ["shape": .list([.int(7)])], ["input": [2, 5]], "shape"),
      (
        "narrow", ["dim": .int(0), "start": .int(1), "length": .int(2)], ["input": [2]],
        "start and length"
      ),
      (
        "pad", ["pad": .list([.int(4), .int(0)]), "mode": .string("reflect")],
        ["input": [1, 1, 3, 4]], "pad"
      ),
      (
        "scaled_dot_product_attention", [:],
        ["query": [2, 5, 8], "key": [2, 5, 7], "value": [2, 5, 7]], "key"
      ),
    ]
    for (operation, attributes, shapes, subject) in cases {
      let error = try #require(fault(operation, attributes, shapes), "\(operation) \(shapes)")
      #expect(error.operation == operation)
      #expect(error.subject == subject, "\(error)")
      #expect(!error.expected.isEmpty && !error.got.isEmpty)
    }
  }

  @Test func emptyBatchesAreRefused() {
    #expect(throws: ShapeError.self) { try GraphBuilder().input("x", [0, 3]) }
  }
}
