import Foundation
import TernCore
import TernData

/// A value that goes in or out of a graph, as it is declared.
package struct ONNXValueInfo: Sendable {
  /// An extent: a number, a name for one that varies, or unknown.
  package enum Extent: Hashable, Sendable {
    case fixed(Int)
    case symbol(String)
  }

  package var name = ""
  /// `nil` where it is no tensor, or one of unknown type.
  package var type: ElementType?
  /// What it is where it is no tensor of a known type.
  package var kind = "tensor"
  package var shape: [Extent]?
}

/// An attribute of a node.
package enum ONNXAttribute: Sendable {
  case float(Float)
  case int(Int)
  case string(String)
  case tensor(ONNXTensor)
  case graph(ONNXGraph)
  case floats([Float])
  case ints([Int])
  case strings([String])
  case other(String)
}

/// An operator applied to named values.
package struct ONNXNode: Sendable {
  package var inputs: [String] = []
  package var outputs: [String] = []
  package var name = ""
  package var operatorName = ""
  package var domain = ""
  package var attributes: [String: ONNXAttribute] = [:]
}

/// Nodes in the order in which they are computed, and the values that are known.
package final class ONNXGraph: Sendable {
  package let name: String
  package let nodes: [ONNXNode]
  package let initializers: [String: ONNXTensor]
  package let inputs: [ONNXValueInfo]
  package let outputs: [ONNXValueInfo]

  package init(
    name: String, nodes: [ONNXNode], initializers: [String: ONNXTensor], inputs: [ONNXValueInfo],
    outputs: [ONNXValueInfo]
  ) {
    (self.name, self.nodes, self.initializers) = (name, nodes, initializers)
    (self.inputs, self.outputs) = (inputs, outputs)
  }
}

/// A network as an ONNX file holds it.
///
/// Source: the numbers of the fields are those of onnx.proto, IR version 3 to 13.
package struct ONNXModel: Sendable {
  package let path: String
  package let graph: ONNXGraph
  /// The version of each set of operators.
  package let opsets: [String: Int]
  /// The files beside it that hold its weights.
  package let externalPaths: [String]

  /// Reads a file. Weights stay in it until they are asked for.
  ///
  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  package init(contentsOf path: String) throws {
    try self.init(InputFile.contents(of: path), path: path)
  }

  package init(_ data: Data, path: String) throws {
    self.path = path
    let reader = ONNXReader(path: path)
    do {
      var (graph, opsets): (ONNXGraph?, [String: Int]) = (nil, [:])
      for (number, value) in try WireSlice(data).fields(reader.budget) {
        switch (number, value) {
        case (7, .bytes(let slice)): graph = try reader.graph(slice, depth: 0)
        case (8, .bytes(let slice)):
          let (domain, version) = try reader.opset(slice)
          opsets[domain == "ai.onnx" ? "" : domain] = version
        default: break
        }
      }
      guard let graph else { throw WireFault(description: "no ONNX network: it holds no graph") }
      self.graph = graph
      self.opsets = opsets
      externalPaths = reader.externalPaths
    } catch let fault as WireFault {
      throw TernError(.badData, "\(path): \(fault)")
    }
  }

  /// Reads a tensor that is a file of its own.
  package static func tensor(contentsOf path: String) throws -> ONNXTensor {
    do {
      return try ONNXReader(path: path).tensor(WireSlice(InputFile.contents(of: path)))
    } catch let fault as WireFault { throw TernError(.badData, "\(path): \(fault)") }
  }
}
