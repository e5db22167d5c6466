import TernCore
import TernGraph

/// The updates of several parameters in one traversal: a loop of its own costs a small parameter
/// more than its arithmetic.
///
/// Inputs: learning rate [], step [], then per parameter its value, its gradient, and its state.
/// Outputs: per parameter its value and its state.
struct UpdatesTogether: CPUOperation {
  let update: Operations.OptimizerUpdate
  let parameterCount: Int

  var name: String { update.name + "_together" }
  var detail: String { "\(update.rule), \(parameterCount) parameters" }

  /// The values of a parameter among the inputs, and among the outputs.
  private var inputStride: Int { 2 + update.stateNames.count }
  private var outputStride: Int { 1 + update.stateNames.count }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
    (0..<parameterCount).flatMap { index in
      [TensorType](repeating: inputs[2 + index * inputStride], count: outputStride)
    }
  }

  func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
    .elementwise(inputs, outputs, flopsPerElement: 3)
  }

  var inPlacePairs: [InPlacePair] {
    (0..<parameterCount).flatMap { parameter in
      (0..<outputStride).map { place in
        InPlacePair(
          output: parameter * outputStride + place,
          // The gradient stands between the parameter and its state.
          input: 2 + parameter * inputStride + (place == 0 ? 0 : place + 1), required: true)
      }
    }
  }

  /// Each parameter as its gradient is stored, where nothing else decides.
  func wishes(_ request: LayoutRequest) throws -> [Layout?] {
    request.inputs.indices.map { index in
      index >= 2 && (index - 2) % inputStride == 0 ? request.inputs[index + 1].layout : nil
    }
  }

  func layouts(_ request: LayoutRequest) throws -> LayoutAssignment {
    // Everything follows its parameter; where that is padded, zeros stay zeros because they meet
    // zero gradients.
    let parameters = (0..<parameterCount).map { request.inputs[2 + $0 * inputStride].layout }
    return LayoutAssignment(
      inputs: [.dense, .dense]
        + parameters.flatMap { [Layout](repeating: $0, count: inputStride) },
      outputs: parameters.flatMap { [Layout](repeating: $0, count: outputStride) })
  }

  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let counts = (0..<parameterCount).map { node.inputs[2 + $0 * inputStride].storedCount }
    // Where each parameter begins, if all stood in a row.
    let starts = counts.reduce(into: [0]) { $0.append($0.last! + $1) }
    return Lowering { addresses in
      let updates = (0..<parameterCount).map { parameter in
        UpdateArguments(
          learningRate: addresses.input(0), step: addresses.integerInput(1),
          outputs: (0..<outputStride).map { addresses.output(parameter * outputStride + $0) }
        ).update(update.rule)
      }
      let gradients = (0..<parameterCount).map { addresses.input(2 + $0 * inputStride + 1) }
      return context.threads.elementwise(starts.last!) { range in
        for index in updates.indices {
          let own = range.clamped(to: starts[index]..<starts[index + 1])
          if own.isEmpty { continue }
          updates[index](
            own.lowerBound - starts[index]..<own.upperBound - starts[index], gradients[index])
        }
      }
    }
  }
}

extension Graph {
  /// The most elements of a parameter whose update is merged with others.
  static let largestMergedUpdate = 1 << 16

  /// With the updates of small parameters merged into one node at the end. A large parameter is
  /// updated as soon as its gradient is there, so that the gradient's memory is free again.
  func mergingUpdates() throws -> Graph {
    let readers = GraphReaders(self)
    var groups: [UpdateGroup: [Int]] = [:]
    for (index, node) in nodes.enumerated() {
      guard let update = node.operation as? Operations.OptimizerUpdate,
        type(node.inputs[0]).elementCount <= Self.largestMergedUpdate,
        // An average of the parameter follows the update, for one.
        !node.outputs.contains(where: readers.isReadInStep)
      else { continue }
      groups[UpdateGroup(rule: update.rule, shared: Array(node.inputs[2...3])), default: []]
        .append(index)
    }
    let merged = groups.filter { $0.value.count > 1 }
    if merged.isEmpty { return self }
    let members = Set(merged.values.joined())
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() where !members.contains(index) { rewriter.copy(node) }
    for indices in merged.values.sorted(by: { $0[0] < $1[0] }) {
      let first = nodes[indices[0]]
      let inputs =
        first.inputs[2...3]
        + indices.flatMap { index in
          nodes[index].inputs.prefix(2) + nodes[index].inputs.dropFirst(4)
        }
      let outputs = try rewriter.append(
        UpdatesTogether(
          update: first.operation as! Operations.OptimizerUpdate, parameterCount: indices.count),
        inputs.map { rewriter[$0] }, scope: "update")
      for (old, new) in zip(indices.flatMap { nodes[$0].outputs }, outputs) {
        rewriter.replace(old, with: new)
      }
    }
    return rewriter.finish()
  }
}

/// Updates that can be made together: of one rule, at one learning rate and step.
private struct UpdateGroup: Hashable {
  let rule: Operations.OptimizerUpdate.Rule
  let shared: [ValueID]
}
