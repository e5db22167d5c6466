import TernCore
import TernGraph

/// What a network that was written for a batch of one size names of it: shapes and constants, which are for another
/// size here.
///
/// The network is gone through once for the batch of the file. Where the shape of a value differs from what it is
/// there, the axis that differs holds the batch. That axis may hold other things too, such as the heads of attention
/// inside or the steps of a sequence outside; so what stands in front of the batch is handed on from node to node.
struct FixedBatch {
  /// The batch of the file.
  let count: Int
  /// The batch at hand.
  let now: Int
  /// The values of the network for the file's batch, by name.
  private let values: [String: ONNXValue]
  /// Into how many parts what stands in front of the batch divides a value, by name.
  private var places: [String: Int] = [:]

  init(_ count: Int, now: Int, _ values: [String: ONNXValue]) {
    (self.count, self.now, self.values) = (count, now, values)
  }

  /// The shape that a value has in the file; `nil` where it is not known.
  func shape(_ name: String) -> [Int]? { values[name]?.shape }

  /// Whether integers are the same for every batch, as they are written in the file.
  func isWritten(_ integers: [Int], as name: String) -> Bool {
    switch values[name] {
    case .host(let array)?: array.integers == integers
    case .initializer?: true
    default: false
    }
  }

  /// The axis of a value that holds the batch, and how many parts stand in front of the batch.
  private func place(_ name: String, now shape: [Int]) -> (axis: Int, before: Int)? {
    guard let own = self.shape(name), own.count == shape.count else { return nil }
    let changed = own.indices.filter { own[$0] != shape[$0] }
    guard changed.count == 1, let axis = changed.first else { return nil }
    return (axis, places[name] ?? own[..<axis].reduce(1, *))
  }

  /// Hands on where the batch is to the results of a node that leaves the axes up to it as they are.
  ///
  /// - Parameter shapes: what values are here.
  mutating func pass(_ node: ONNXNode, _ shapes: (String) -> [Int]?) {
    for output in node.outputs where places[output] == nil {
      guard let own = shape(output), let now = shapes(output), let result = place(output, now: now)
      else { continue }
      for input in node.inputs where places[input] != nil {
        guard let before = shape(input), let shape = shapes(input),
          let place = place(input, now: shape), place.axis == result.axis,
          before[...place.axis] == own[...place.axis]
        else { continue }
        places[output] = place.before
        break
      }
    }
  }

  /// A shape that is written in the file for the batch at hand.
  ///
  /// - Parameters:
  ///   - target: what the input becomes in the file; all of its extents are known.
  ///   - shape: what the input is here.
  /// - Returns: `nil` where the batch is not found in it.
  mutating func reshaped(_ target: [Int], _ node: ONNXNode, now shape: [Int]) -> [Int]? {
    guard let (_, before) = place(node.inputs[0], now: shape) else { return nil }
    if let output = node.outputs.first { places[output] = before }
    func scaled(_ at: Int) -> [Int]? {
      let (product, overflow) = target[at].multipliedReportingOverflow(by: now)
      guard !overflow, product % count == 0 else { return nil }
      var result = target
      result[at] = product / count
      return result
    }
    // What stands in front of each axis.
    var products = [1]
    for extent in target {
      products.append(products.last!.multipliedReportingOverflow(by: extent).partialValue)
    }
    // Axes that hold a batch of more than one in full.
    let holding = target.indices.filter {
      products[$0] <= before
        && products[$0 + 1] >= before.multipliedReportingOverflow(by: count).partialValue
    }
    if count > 1 { return holding.first.flatMap(scaled) }
    // A batch of one may be in any axis beside its place: best one of its own, then one behind it that is not the last,
    // which holds features, then one in front of it.
    let own = holding.first { products[$0] == before && target[$0] == 1 }
    let behind = holding.first { products[$0] == before && $0 < target.count - 1 }
    return (own ?? behind ?? holding.first).flatMap(scaled)
  }
}

extension ONNXCall {
  /// The shape that a reshaped value gets, of which a file may name the batch.
  func reshaped(_ shape: [Int], to given: [Int], keepsZeros: Bool) throws -> [Int] {
    if let own = importer.fixedBatch?.shape(node.inputs[0]), own != shape,
      node.inputs.count < 2 || importer.fixedBatch!.isWritten(given, as: node.inputs[1]),
      let target = try? Self.target(given, of: own, keepsZeros: keepsZeros),
      let result = importer.fixedBatch!.reshaped(target, node, now: shape)
    {
      return result
    }
    return try Self.target(given, of: shape, keepsZeros: keepsZeros)
  }

  private static func target(
    _ given: [Int], of shape: [Int], keepsZeros: Bool
  ) throws -> [Int] {
    func fault() -> ONNXFault { .invalid("the shape \(given) for \(shape)") }
    var target = try given.enumerated().map { index, extent in
      guard extent == 0, !keepsZeros else { return extent }
      guard index < shape.count else { throw fault() }
      return shape[index]
    }
    if let unknown = target.firstIndex(of: -1) {
      let rest = target.enumerated().filter { $0.offset != unknown }
        .reduce(1) { $0.multipliedReportingOverflow(by: $1.element).partialValue }
      let count = shape.reduce(1, *)
      guard rest > 0, count % rest == 0 else { throw fault() }
      target[unknown] = count / rest
    }
    return target
  }

  /// The extents that a value is repeated to, of which a file may name the batch.
  func expanded(_ shape: [Int], to given: [Int]) -> [Int] {
    guard let fixed = importer.fixedBatch, let own = fixed.shape(node.inputs[0]),
      own.count == shape.count, fixed.isWritten(given, as: node.inputs[1])
    else { return given }
    var result = given
    for (axis, (before, now)) in zip(own, shape).enumerated() where before != now {
      let at = given.count - shape.count + axis
      if result.indices.contains(at), result[at] == before { result[at] = now }
    }
    // What is the same for all samples is repeated for each.
    if own == shape, fixed.count > 1, given.first == fixed.count,
      shape.count < given.count || shape.first == 1
    {
      result[0] = fixed.now
    }
    return result
  }

  /// A value that the file has for its batch, such as the state that a recurrent layer starts from, for the one at
  /// hand: its parts are all the same.
  ///
  /// - Parameter axis: that of the batch.
  func rebatched(_ index: Int, axis: Int) throws -> Tensor {
    let x = try tensor(index)
    guard let fixed = importer.fixedBatch, axis < x.shape.rank, x.shape[axis] == fixed.count,
      try fixed.shape(node.inputs[index]) == shape(index)
    else { return x }
    guard try fixed.count == 1 || isRepeated(value(index), along: axis) else {
      throw ONNXFault.unsupported(
        "written for a batch of \(fixed.count), with other values for each")
    }
    var shape = x.shape
    shape[axis] = fixed.now
    return try x.narrow(axis, start: 0, length: 1).expand(shape)
  }

  /// A known value that is repeated to a shape, without what the file repeats for its own batch.
  func withoutBatch(_ x: HostArray, for target: [Int]) throws -> HostArray {
    guard let fixed = importer.fixedBatch, fixed.count > 1, x.shape.count <= target.count else {
      return x
    }
    var lists = x.shape.map { Array(0..<$0) }
    for axis in x.shape.indices
    where x.shape[axis] == fixed.count && target[target.count - x.shape.count + axis] == fixed.now {
      if try isRepeated(.host(x), along: axis) { lists[axis] = [0] }
    }
    return try lists.allSatisfy { $0.count != 1 } ? x : x.taking(IndexMap.select(x.shape, lists))
  }

  /// Whether a known value is the same all along an axis.
  private func isRepeated(_ value: ONNXValue, along axis: Int) throws -> Bool {
    let array: HostArray
    switch value {
    case .host(let known), .device(_, _, .some(let known)): array = known
    case .initializer(let tensor): array = try tensor.array()
    case .device: return false
    }
    let (values, stride) = (array.doubles, IndexMap.strides(array.shape)[axis])
    let extent = array.shape[axis]
    return values.indices.allSatisfy { values[$0] == values[$0 - $0 / stride % extent * stride] }
  }
}
