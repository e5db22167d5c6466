import Foundation
import TernCore
import TernData

/// Writes the messages of an ONNX file.
///
/// Source: the numbers of the fields are those of onnx.proto, IR version 8, which belongs to opset 17.
enum ONNXWriter {
  /// The version of the operators that are written.
  static let opset = 17

  /// The bytes of a file with one graph.
  ///
  /// - Parameter metadata: what stands beside the graph, by name.
  /// - Throws: ``TernError`` of kind `badData` where they are more than a message of Protocol Buffers can
  ///   have.
  static func encoded(_ graph: ONNXGraph, metadata: [String: String] = [:]) throws -> Data {
    let byteCount = graph.initializers.values.reduce(0) { $0 + $1.elementCount * 4 }
    guard byteCount < 1 << 31 - 1 << 20 else {
      throw TernError(
        .badData, "\(graph.name): \(byteCount) bytes of weights; an ONNX file has at most 2 GiB")
    }
    var model = WireWriter()
    model.int(1, 8)
    model.string(2, "tern")
    model.message(7) { write(graph, to: &$0) }
    model.message(8) { $0.int(2, opset) }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      model.message(14) {
        $0.string(1, key)
        $0.string(2, value)
      }
    }
    return model.data
  }

  private static func write(_ graph: ONNXGraph, to writer: inout WireWriter) {
    for node in graph.nodes { writer.message(1) { write(node, to: &$0) } }
    writer.string(2, graph.name)
    for (name, tensor) in graph.initializers.sorted(by: { $0.key < $1.key }) {
      writer.message(5) { write(tensor, named: name, to: &$0) }
    }
    for input in graph.inputs { writer.message(11) { write(input, to: &$0) } }
    for output in graph.outputs { writer.message(12) { write(output, to: &$0) } }
  }

  private static func write(_ node: ONNXNode, to writer: inout WireWriter) {
    for input in node.inputs { writer.string(1, input) }
    for output in node.outputs { writer.string(2, output) }
    writer.string(3, node.name)
    writer.string(4, node.operatorName)
    for (name, attribute) in node.attributes.sorted(by: { $0.key < $1.key }) {
      writer.message(5) { writer in
        writer.string(1, name)
        write(attribute, to: &writer)
      }
    }
  }

  private static func write(_ attribute: ONNXAttribute, to writer: inout WireWriter) {
    switch attribute {
    case .float(let value):
      writer.float(2, value)
      writer.int(20, 1)
    case .int(let value):
      writer.int(3, value)
      writer.int(20, 2)
    case .string(let value):
      writer.string(4, value)
      writer.int(20, 3)
    case .tensor(let tensor):
      writer.message(5) { write(tensor, named: tensor.name, to: &$0) }
      writer.int(20, 4)
    case .floats(let values):
      writer.floats(7, values)
      writer.int(20, 6)
    case .ints(let values):
      writer.ints(8, values)
      writer.int(20, 7)
    case .graph, .strings, .other:
      preconditionFailure("no operation is written with such an attribute")
    }
  }

  private static func write(
    _ tensor: ONNXTensor, named name: String, to writer: inout WireWriter
  ) {
    guard case .raw(let slice) = tensor.payload else {
      preconditionFailure("tensors are written from their bytes")
    }
    writer.ints(1, tensor.shape)
    writer.int(2, tensor.type.rawValue)
    writer.string(8, name)
    writer.bytes(
      9,
      slice.data[
        slice.data.startIndex + slice.range.lowerBound..<slice.data.startIndex
          + slice.range.upperBound])
  }

  private static func write(_ info: ONNXValueInfo, to writer: inout WireWriter) {
    writer.string(1, info.name)
    writer.message(2) { type in
      type.message(1) { tensor in
        tensor.int(1, (info.type ?? .float).rawValue)
        tensor.message(2) { shape in
          for extent in info.shape ?? [] {
            shape.message(1) { dimension in
              switch extent {
              case .fixed(let count): dimension.int(1, count)
              case .symbol(let name): dimension.string(2, name)
              }
            }
          }
        }
      }
    }
  }
}

extension ONNXTensor {
  /// A tensor of the value's type, or of int64 where that is int32: ONNX's indices and extents are.
  init(name: String, _ value: HostTensor) {
    let shape = value.shape.dimensions
    let bytes: Data =
      switch value.storage {
      case .float32, .float16, .bfloat16, .uint8: value.withUnsafeBytes { Data($0) }
      case .int32(let values):
        values.map { Int64($0).littleEndian }.withUnsafeBytes { Data($0) }
      }
    let type: ElementType =
      switch value.type.dataType {
      case .float32: .float
      case .float16: .float16
      case .bfloat16: .bfloat16
      case .int32: .int64
      case .uint8: .uint8
      }
    // The bytes belong to the shape, which was one of a tensor.
    self = try! ONNXTensor(name: name, type: type, shape: shape, payload: .raw(WireSlice(bytes)))
  }

  /// A row of int64.
  init(name: String, integers: [Int]) {
    let bytes = integers.map { Int64($0).littleEndian }.withUnsafeBytes { Data($0) }
    self = try! ONNXTensor(
      name: name, type: .int64, shape: [integers.count], payload: .raw(WireSlice(bytes)))
  }
}
