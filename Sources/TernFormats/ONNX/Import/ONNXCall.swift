import TernCore
import TernGraph
import TernNN

/// A node that is being imported: its inputs and attributes, read with checked types.
final class ONNXCall {
  let node: ONNXNode
  /// The version of the node's set of operators.
  let opset: Int
  let inputs: [ONNXValue?]
  let importer: GraphImporter

  var context: LayerContext { importer.context }
  var builder: GraphBuilder { importer.context.builder }

  init(_ node: ONNXNode, opset: Int, inputs: [ONNXValue?], importer: GraphImporter) {
    (self.node, self.opset, self.inputs, self.importer) = (node, opset, inputs, importer)
  }

  // MARK: Inputs

  func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

  func value(_ index: Int) throws -> ONNXValue {
    guard index < inputs.count, let value = inputs[index] else {
      throw ONNXFault.invalid("input \(index) is missing")
    }
    return value
  }

  func type(_ index: Int) throws -> ElementType { try value(index).type }
  func shape(_ index: Int) throws -> [Int] { try value(index).shape }

  /// An input as float32 on the device.
  func tensor(_ index: Int) throws -> Tensor { try importer.tensor(value(index)) }

  func optionalTensor(_ index: Int) throws -> Tensor? { has(index) ? try tensor(index) : nil }

  /// An input that is learnt, whatever its shape.
  func weight(_ index: Int) throws -> Tensor { try importer.tensor(value(index), isWeight: true) }

  func optionalWeight(_ index: Int) throws -> Tensor? { has(index) ? try weight(index) : nil }

  /// An input that holds statistics, which no optimizer updates.
  func statistic(_ index: Int) throws -> Tensor {
    try importer.tensor(value(index), isWeight: true, isTrainable: false)
  }

  /// An input that has to be known now.
  func constant(_ index: Int) throws -> HostArray {
    switch try value(index) {
    case .host(let array): return array
    case .initializer(let tensor): return try tensor.array()
    case .device(_, _, let known?): return known
    case .device: throw ONNXFault.notConstant("input \(index) ('\(node.inputs[index])')")
    }
  }

  func optionalConstant(_ index: Int) throws -> HostArray? {
    has(index) ? try constant(index) : nil
  }

  /// Integers that have to be known now: an input, or in older versions an attribute.
  func integers(_ index: Int, orAttribute name: String? = nil) throws -> [Int]? {
    if let name, case .ints(let values)? = node.attributes[name] { return values }
    guard has(index) else { return nil }
    return try constant(index).integers
  }

  // MARK: Attributes

  private func mismatch(_ name: String, _ expected: String) -> ONNXFault {
    .invalid("attribute '\(name)': expected \(expected)")
  }

  func int(_ name: String, _ standard: Int) throws -> Int {
    guard let attribute = node.attributes[name] else { return standard }
    guard case .int(let value) = attribute else { throw mismatch(name, "an integer") }
    return value
  }

  func flag(_ name: String, _ standard: Bool = false) throws -> Bool {
    try int(name, standard ? 1 : 0) != 0
  }

  func float(_ name: String, _ standard: Float) throws -> Float {
    guard let attribute = node.attributes[name] else { return standard }
    guard case .float(let value) = attribute else { throw mismatch(name, "a number") }
    return value
  }

  func string(_ name: String, _ standard: String) throws -> String {
    guard let attribute = node.attributes[name] else { return standard }
    guard case .string(let value) = attribute else { throw mismatch(name, "a text") }
    return value
  }

  func ints(_ name: String) throws -> [Int]? {
    guard let attribute = node.attributes[name] else { return nil }
    switch attribute {
    case .ints(let values): return values
    case .strings(let values) where values.isEmpty: return []
    default: throw mismatch(name, "integers")
    }
  }

  /// Numbers of at least a minimum and what devices count with, one for each of `count` axes.
  func extents(_ name: String, count: Int, standard: Int, minimum: Int = 0) throws -> [Int] {
    let values = try ints(name) ?? [Int](repeating: standard, count: count)
    guard values.count == count, values.allSatisfy({ (minimum...1 << 15).contains($0) }) else {
      throw mismatch(name, "\(count) numbers of \(minimum) to 32768, got \(values)")
    }
    return values
  }

  func floats(_ name: String) throws -> [Float]? {
    guard let attribute = node.attributes[name] else { return nil }
    guard case .floats(let values) = attribute else { throw mismatch(name, "numbers") }
    return values
  }

  func strings(_ name: String) throws -> [String]? {
    guard let attribute = node.attributes[name] else { return nil }
    guard case .strings(let values) = attribute else { throw mismatch(name, "texts") }
    return values
  }

  /// An axis of a tensor of `rank` axes, counted from the end where it is negative.
  func axis(_ axis: Int, rank: Int) throws -> Int {
    guard (-rank..<rank).contains(axis) else {
      throw ONNXFault.invalid("axis \(axis) of a tensor of \(rank) axes")
    }
    return axis < 0 ? axis + rank : axis
  }

  func axes(_ axes: [Int], rank: Int) throws -> [Int] {
    let result = try axes.map { try axis($0, rank: rank) }
    guard Set(result).count == result.count else {
      throw ONNXFault.invalid("the axes \(axes) name one twice")
    }
    return result
  }

  // MARK: Results

  /// A tensor of the device, of the type of the first input unless another is named.
  func result(_ tensor: Tensor, _ type: ElementType? = nil) throws -> [ONNXValue] {
    [.device(tensor, try type ?? self.type(0))]
  }

  /// A constant of the device.
  func number(_ value: Float) -> Tensor { builder.constant(value) }

  func apply(_ operation: any Operation, _ inputs: Tensor...) throws -> Tensor {
    try builder.apply(operation, inputs)[0]
  }
}
