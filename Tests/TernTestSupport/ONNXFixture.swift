import Foundation
import TernData

/// Writes ONNX files for tests, small ones and wrong ones.
package struct ONNXFixture {
  package var graph = WireWriter()

  package init() {}

  package mutating func node(
    _ name: String, _ inputs: [String], _ outputs: [String], _ attributes: [(String, Int)] = [],
    lists: [(String, [Int])] = []
  ) {
    graph.message(1) { node in
      for input in inputs { node.string(1, input) }
      for output in outputs { node.string(2, output) }
      node.string(3, name.lowercased())
      node.string(4, name)
      for (key, value) in attributes {
        node.message(5) { attribute in
          attribute.string(1, key)
          attribute.int(3, value)
          attribute.int(20, 2)
        }
      }
      for (key, values) in lists {
        node.message(5) { attribute in
          attribute.string(1, key)
          attribute.ints(8, values)
          attribute.int(20, 7)
        }
      }
    }
  }

  /// A tensor of float32 in raw data; `shape` may claim anything.
  package mutating func initializer(_ name: String, _ shape: [Int], _ values: [Float]) {
    graph.message(5) { tensor in
      tensor.ints(1, shape)
      tensor.int(2, 1)
      tensor.string(8, name)
      tensor.bytes(9, values.withUnsafeBytes { Data($0) })
    }
  }

  /// A tensor of int64: shapes, indices.
  package mutating func integers(_ name: String, _ shape: [Int], _ values: [Int]) {
    graph.message(5) { tensor in
      tensor.ints(1, shape)
      tensor.int(2, 7)
      tensor.string(8, name)
      tensor.bytes(9, values.map(Int64.init).withUnsafeBytes { Data($0) })
    }
  }

  /// A tensor whose values are in another file.
  package mutating func external(_ name: String, _ shape: [Int], _ location: String) {
    graph.message(5) { tensor in
      tensor.ints(1, shape)
      tensor.int(2, 1)
      tensor.string(8, name)
      tensor.message(13) { entry in
        entry.string(1, "location")
        entry.string(2, location)
      }
      tensor.int(14, 1)
    }
  }

  /// An input (field 11) or an output (field 12), of float32 unless another type is said; an extent of 0 is the batch.
  package mutating func value(_ field: Int, _ name: String, _ shape: [Int], type: Int = 1) {
    graph.message(field) { info in
      info.string(1, name)
      info.message(2) { value in
        value.message(1) { tensor in
          tensor.int(1, type)
          tensor.message(2) { list in
            for extent in shape {
              list.message(1) { if extent == 0 { $0.string(2, "N") } else { $0.int(1, extent) } }
            }
          }
        }
      }
    }
  }

  /// The file's bytes.
  package func encoded(opset: Int = 17) -> Data {
    var model = WireWriter()
    model.int(1, 8)
    model.bytes(7, graph.data)
    model.message(8) { $0.int(2, opset) }
    return model.data
  }

  /// One linear layer [N, 2] → [N, 3] and a softmax.
  package static func linear() -> ONNXFixture {
    var file = ONNXFixture()
    file.value(11, "x", [0, 2])
    file.initializer("fc.weight", [3, 2], [1, 2, 3, 4, 5, 6])
    file.initializer("fc.bias", [3], [0.5, 0, -0.5])
    file.node("Gemm", ["x", "fc.weight", "fc.bias"], ["logits"], [("transB", 1)])
    file.node("Softmax", ["logits"], ["y"])
    file.value(12, "y", [0, 3])
    return file
  }

  /// A file in a folder of its own, which goes when `body` is done.
  package static func withFile<R>(_ data: Data, _ body: (String) throws -> R) throws -> R {
    let folder = NSTemporaryDirectory() + "tern-onnx-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/net.onnx"
    try data.write(to: URL(fileURLWithPath: path))
    return try body(path)
  }
}
