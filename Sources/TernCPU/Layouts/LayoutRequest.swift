import TernCore
import TernGraph

/// A node asking for layouts.
struct LayoutRequest {
  /// The inputs as their producers store them.
  let inputs: [Operand]
  let outputs: [TensorType]
  /// Per output, what the nodes that read it would like best; `nil` where they do not care.
  let wanted: [Layout?]
  /// Per input, the inputs of the node that computed it; empty for inputs, variables and constants.
  let producerInputs: [[Operand]]
  let context: CPUContext

  /// Whether an input or an output has a type.
  func has(_ type: DataType) -> Bool {
    inputs.contains { $0.type.dataType == type } || outputs.contains { $0.dataType == type }
  }

  /// What is wanted of the first output, as a wish for the inputs of its shape: for an operation
  /// whose output follows its inputs.
  var passedOn: [Layout?] { inputs.map { $0.type == outputs[0] ? wanted[0] : nil } }

  /// The layout of an input, if it is not dense, as a wish for the others of its shape: for a
  /// backward operation, which reads a value of the forward pass.
  func likeInput(_ index: Int) -> [Layout?] {
    let leader = inputs[index]
    guard leader.layout != .dense else { return passedOn }
    return inputs.indices.map {
      $0 != index && inputs[$0].shape == leader.shape ? leader.layout : nil
    }
  }
}

/// The layouts a node takes and gives. Where an input is stored otherwise, an ``Operations/Reorder`` is inserted.
struct LayoutAssignment {
  var inputs: [Layout]
  var outputs: [Layout]

  /// Everything row by row.
  static func dense(_ request: LayoutRequest) -> LayoutAssignment {
    LayoutAssignment(
      inputs: request.inputs.map { _ in .dense }, outputs: request.outputs.map { _ in .dense })
  }
}

extension LayoutAssignment {
  /// Every value in the layout of the last input that is not dense: for an operation that goes
  /// element by element over tensors of one shape. The last, because it is what the forward pass
  /// saved, whose layout the reverse pass cannot change.
  ///
  /// - Parameter keepsPadding: whether zeros in padded places stay zeros.
  static func following(_ request: LayoutRequest, keepsPadding: Bool) -> LayoutAssignment {
    guard let leader = request.inputs.last(where: { $0.layout != .dense }),
      keepsPadding || !leader.isPadded
    else { return .dense(request) }
    return LayoutAssignment(
      inputs: request.inputs.map { _ in leader.layout },
      outputs: request.outputs.map { _ in leader.layout })
  }
}
