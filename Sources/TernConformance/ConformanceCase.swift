import Foundation
import Tern

/// What an operation must compute: inputs, expected outputs, arriving gradients and expected
/// gradients, with the tolerance at which they must agree.
package struct ConformanceCase: Sendable {
  package let name: String
  /// An operation's functional name, `optimizer.NAME`, `train` or `model`.
  package let operation: String
  package let attributes: [String: AttributeValue]
  /// |got − expected| ≤ atol + rtol · |expected|
  package let relativeTolerance: Double
  package let absoluteTolerance: Double
  package let inputs: [String: HostTensor]
  package let outputs: [String: HostTensor]
  package let cotangents: [String: HostTensor]
  package let gradients: [String: HostTensor]

  package init(
    name: String, operation: String, attributes: [String: AttributeValue] = [:],
    relativeTolerance: Double = 1e-4, absoluteTolerance: Double = 1e-5,
    inputs: [String: HostTensor], outputs: [String: HostTensor] = [:],
    cotangents: [String: HostTensor] = [:], gradients: [String: HostTensor] = [:]
  ) {
    self.name = name
    self.operation = operation
    self.attributes = attributes
    self.relativeTolerance = relativeTolerance
    self.absoluteTolerance = absoluteTolerance
    self.inputs = inputs
    self.outputs = outputs
    self.cotangents = cotangents
    self.gradients = gradients
  }

  /// Reads a safetensors file whose metadata holds `op`, `attributes`, `rtol` and `atol`.
  ///
  /// - Throws: ``TernError`` naming the file and its fault.
  package init(contentsOf path: String) throws {
    let file = try Safetensors(contentsOf: path)
    func metadata(_ key: String) throws -> String {
      guard let value = file.metadata[key] else {
        throw TernError(.badData, "\(path): the metadata has no '\(key)'")
      }
      return value
    }
    func tolerance(_ key: String) throws -> Double {
      guard let value = Double(try metadata(key)), value >= 0 else {
        throw TernError(.badData, "\(path): '\(key)' is not a number of at least 0")
      }
      return value
    }
    guard let json = try? JSON(parsing: try metadata("attributes")),
      case .map(let attributes) = json.attribute
    else { throw TernError(.badData, "\(path): 'attributes' is not a JSON object") }
    func tensors(_ prefix: String) -> [String: HostTensor] {
      Dictionary(
        uniqueKeysWithValues: file.tensors.compactMap { name, tensor in
          name.hasPrefix(prefix) ? (String(name.dropFirst(prefix.count)), tensor) : nil
        })
    }
    self.init(
      name: path.pathStem,
      operation: try metadata("op"), attributes: attributes,
      relativeTolerance: try tolerance("rtol"), absoluteTolerance: try tolerance("atol"),
      inputs: tensors("input."), outputs: tensors("output."), cotangents: tensors("cotangent."),
      gradients: tensors("gradient."))
  }

  /// The cases in a folder's `.safetensors` files, by name.
  package static func paths(inDirectory directory: String) throws -> [String] {
    guard let kind = FileSystem.kind(directory) else {
      throw TernError(.notFound, "\(directory): no such folder")
    }
    if kind != .folder { return [directory] }
    let names = (FileSystem.names(in: directory) ?? [])
      .filter { $0.hasSuffix(".safetensors") }.sorted()
    guard !names.isEmpty else {
      throw TernError(.notFound, "\(directory): holds no .safetensors file")
    }
    return names.map { directory.appendingPath($0) }
  }
}

/// How a case ended on a device.
package struct CaseResult: Sendable {
  package enum Status: String, Sendable { case passed, failed, unsupported, error }

  package let name: String
  package let operation: String
  package let status: Status
  package var maximumAbsoluteError = 0.0
  package var maximumRelativeError = 0.0
  /// The first element out of tolerance: `gradient.weight[0, 2, 1]`.
  package var location: String?
  package var message: String?
}
