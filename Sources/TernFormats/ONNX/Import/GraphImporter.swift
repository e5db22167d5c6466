import TernCore
import TernData
import TernGraph
import TernNN

/// Something in a network of another program that cannot be used, with the node that asks for it.
package struct ONNXNodeError: Error, CustomStringConvertible {
  package let node: String
  package let operatorName: String
  package let opset: Int
  package let fault: ONNXFault

  /// Whether the network may be in order, and only Tern does not know how.
  package var isUnsupported: Bool {
    if case .invalid = fault { false } else { true }
  }

  package var description: String { "node '\(node)' (\(operatorName), opset \(opset)): \(fault)" }
}

/// What stands in the place of an initializer: another number of classes has other weights.
package struct ReplacedInitializer: Sendable {
  package let shape: Shape
  package let initializer: Initializer
}

/// Appends a graph of ONNX to a graph of Tern.
///
/// All shapes are known when a graph is built, so what is computed of shapes is computed here, once. What
/// reads initializers makes parameters of them, under their names.
package final class GraphImporter {
  let model: ONNXModel
  let context: LayerContext
  /// Initializers of other shapes than the file's.
  let replaced: [String: ReplacedInitializer]
  /// What the file names of the batch that it was written for, where that is another.
  var fixedBatch: FixedBatch?
  /// Whether nodes that are said to train do so in training alone, as a network that is used does, and not a test of
  /// one node.
  let followsMode: Bool
  private(set) var values: [String: ONNXValue] = [:]
  private var constants: [String: Tensor] = [:]

  package convenience init(
    _ model: ONNXModel, in context: LayerContext, replaced: [String: ReplacedInitializer] = [:]
  ) {
    self.init(model, in: context, fixedBatch: nil, followsMode: false, replaced: replaced)
  }

  init(
    _ model: ONNXModel, in context: LayerContext, fixedBatch: FixedBatch?, followsMode: Bool,
    replaced: [String: ReplacedInitializer]
  ) {
    (self.model, self.context, self.replaced) = (model, context, replaced)
    (self.fixedBatch, self.followsMode) = (fixedBatch, followsMode)
  }

  /// Appends the network.
  ///
  /// - Parameter inputs: the values of the graph's inputs by name, except those that are initializers.
  /// - Returns: the values of the outputs, in their order.
  /// - Throws: ``ONNXNodeError``, and ``LayerError`` where shapes do not fit.
  package func run(_ inputs: [String: ONNXValue]) throws -> [ONNXValue] {
    values = inputs
    return try run(model.graph)
  }

  /// A value that was computed before.
  func value(named name: String) throws -> ONNXValue {
    guard let value = values[name] else { throw ONNXFault.invalid("no value is named '\(name)'") }
    return value
  }

  /// Appends a graph that reads the values there are.
  func run(_ graph: ONNXGraph) throws -> [ONNXValue] {
    for (name, tensor) in graph.initializers where values[name] == nil {
      values[name] = .initializer(tensor)
    }
    for (index, node) in graph.nodes.enumerated() {
      let name = node.name.isEmpty ? "\(node.operatorName)_\(index)" : node.name
      let opset = model.opsets[node.domain] ?? 1
      do {
        let results = try run(node, named: name, opset: opset)
        // What a node can give and nobody reads, such as the mask of a dropout, need not be there.
        if let missing = node.outputs.indices.dropFirst(results.count).first(where: {
          graph.reads(node.outputs[$0])
        }) {
          throw ONNXFault.unsupported("its output \(missing)")
        }
        for (output, value) in zip(node.outputs, results) where !output.isEmpty {
          values[output] = value
        }
        fixedBatch?.pass(node) { values[$0]?.shape }
      } catch let fault as ONNXFault {
        throw ONNXNodeError(
          node: name, operatorName: node.operatorName, opset: opset, fault: fault)
      } catch let error as ShapeError {
        throw ONNXNodeError(
          node: name, operatorName: node.operatorName, opset: opset,
          fault: .invalid(error.description))
      } catch let fault as WireFault {
        throw ONNXNodeError(
          node: name, operatorName: node.operatorName, opset: opset,
          fault: .invalid(fault.description))
      }
    }
    return try graph.outputs.map { output in
      guard let value = values[output.name] else {
        throw TernError(.badData, "\(model.path): no node computes the output '\(output.name)'")
      }
      return value
    }
  }

  private func run(_ node: ONNXNode, named name: String, opset: Int) throws -> [ONNXValue] {
    guard let known = ONNXOperators.named(node.operatorName, domain: node.domain) else {
      throw ONNXFault.unsupported("the operator is not known")
    }
    let inputs: [ONNXValue?] = try node.inputs.map { input in
      guard !input.isEmpty else { return nil }
      guard let value = values[input] else {
        throw ONNXFault.invalid("input '\(input)' is computed by no node before it")
      }
      return value
    }
    let call = ONNXCall(node, opset: opset, inputs: inputs, importer: self)
    let isKnown = inputs.allSatisfy { $0.map(Self.isFoldable) ?? true }
    if isKnown, let fold = known.host { return try fold(call) }
    // Integers whose values are known anyway are computed with here, where no device does: the arithmetic of
    // shapes. Real numbers are a device's.
    let mayFold =
      (known.isShapeArithmetic || !(inputs.first??.type.isReal ?? false))
      && inputs.allSatisfy { $0.map(Self.isKnown) ?? true }
    guard let compute = known.device else {
      guard mayFold, let fold = known.host else {
        throw ONNXFault.unsupported(
          "no device computes it, and not all of its inputs are known before")
      }
      return try fold(call)
    }
    do {
      let layer = NodeLayer(kind: node.operatorName, call: call, compute: compute)
      let sources = inputs.compactMap { value -> Tensor? in
        if case .device(let tensor, _, _)? = value { tensor } else { nil }
      }
      guard let first = sources.first else { return try compute(call) }
      _ = try context.apply(layer, named: name, to: sources.isEmpty ? [first] : sources)
      return layer.results
    } catch let fault as ONNXFault {
      if case .unsupported = fault, mayFold, let fold = known.host { return try fold(call) }
      throw fault
    }
  }

  /// Whether what reads a value may be computed now. Initializers of real numbers are weights.
  private static func isFoldable(_ value: ONNXValue) -> Bool {
    switch value {
    case .host: true
    case .initializer(let tensor): !tensor.type.isReal || tensor.shape.isEmpty
    case .device: false
    }
  }

  private static func isKnown(_ value: ONNXValue) -> Bool {
    if case .device(_, _, let known) = value { known != nil } else { true }
  }

  // MARK: Values on the device

  /// A value as float32.
  ///
  /// - Parameters:
  ///   - isWeight: whether an initializer of one element, too, is learnt.
  ///   - isTrainable: whether an optimizer updates it.
  func tensor(
    _ value: ONNXValue, isWeight: Bool = false, isTrainable: Bool = true
  ) throws -> Tensor {
    switch value {
    case .device(let tensor, let type, let known):
      guard tensor.type.dataType == .float32 else {
        if let known { return context.builder.constant(try known.tensor()) }
        throw ONNXFault.unsupported("\(type.name) that is computed with and is indices too")
      }
      return tensor
    case .host(let array): return context.builder.constant(try array.tensor())
    case .initializer(let tensor):
      let isLearnt = isWeight || (tensor.type.isReal && tensor.elementCount > 1)
      guard isLearnt, !tensor.name.isEmpty, tensor.type.isReal else {
        if let known = constants[tensor.name], !tensor.name.isEmpty { return known }
        let constant = context.builder.constant(try tensor.hostTensor())
        constants[tensor.name] = constant
        return constant
      }
      if let other = replaced[tensor.name] {
        return try context.parameter(named: tensor.name, other.shape, other.initializer)
      }
      guard Shape(tensor.shape).isUsable else {
        throw ONNXFault.unsupported("'\(tensor.name)' has the shape \(tensor.shape)")
      }
      return try context.parameter(
        named: tensor.name, Shape(tensor.shape),
        // The size was checked when the file was read, the type above: reading cannot fail.
        .given(GivenValue { try! tensor.hostTensor() }), isTrainable: isTrainable)
    }
  }

  /// A value as indices, int32.
  func indices(_ value: ONNXValue) throws -> Tensor {
    switch value {
    case .device(let tensor, let type, let known):
      if tensor.type.dataType == .int32 { return tensor }
      guard let known else {
        throw ONNXFault.unsupported("indices of type \(type.name) that the network computes")
      }
      return context.builder.constant(try known.indexTensor())
    case .host(let array): return context.builder.constant(try array.indexTensor())
    case .initializer(let tensor): return context.builder.constant(try tensor.array().indexTensor())
    }
  }
}

/// A node as a layer, so that summaries and errors name it.
private final class NodeLayer: Layer, @unchecked Sendable {
  let kind: String
  private let call: ONNXCall
  private let compute: (ONNXCall) throws -> [ONNXValue]
  private(set) var results: [ONNXValue] = []

  init(kind: String, call: ONNXCall, compute: @escaping @Sendable (ONNXCall) throws -> [ONNXValue])
  {
    (self.kind, self.call, self.compute) = (kind, call, compute)
  }

  func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    results = try compute(call)
    for case .device(let tensor, _, _) in results { return tensor }
    return inputs[0]
  }
}

extension ONNXGraph {
  /// Whether a node, a graph inside one, or the graph's outputs may read a value.
  fileprivate func reads(_ name: String) -> Bool {
    !name.isEmpty
      && (outputs.contains { $0.name == name }
        || nodes.contains { node in
          node.inputs.contains(name)
            || node.attributes.values.contains { if case .graph = $0 { true } else { false } }
        })
  }
}
