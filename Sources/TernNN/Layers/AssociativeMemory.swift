import TernCore
import TernGraph

// Memories of units that are 1 or −1. What is stored is a sum of outer products, by Hebb's rule or Storkey's;
// what is recalled comes of units that go along with their fields, one after the other.

extension Tensor {
  /// 1 where above 0, else −1.
  package func bipolar() throws -> Tensor { try sign().affine(scale: 1, shift: -0.5).sign() }

  /// What units become in their fields: 1 or −1 as the field's sign, and what they were where it is 0.
  func following(_ field: Tensor) throws -> Tensor {
    try (field.sign().affine(scale: 2) + self).sign()
  }
}

/// A Hopfield network: F units, 1 or −1, each joined to every other; E(s) = −½ s·W s.
///
/// As a layer it recalls: from samples [N, F], above 0 or not, the units go along with their fields one
/// at a time, in an order drawn anew for each sweep, → [N, F] of 1 and −1. Parameter: `weight` [F, F],
/// symmetric with a diagonal of 0, to which storing adds what its rule says.
///
/// Source: Hopfield, "Neural networks and physical systems with emergent collective computational
/// abilities", 1982.
public struct HopfieldNetwork: Layer {
  /// What storing a pattern x adds to the weight.
  public enum Rule: String, Hashable, Sendable, CaseIterable {
    /// x xᵀ/F.
    case hebb
    /// (x xᵀ − x hᵀ − h xᵀ)/F, where h_j for the weight of i and j is the field of j without i and j: what
    /// the patterns before make of x anyway is not added once more. More patterns fit, and they come back
    /// whole.
    ///
    /// Source: Storkey, "Increasing the capacity of a Hopfield network without sacrificing functionality",
    /// 1997.
    case storkey
  }

  package let sweepCount: Int
  package let rule: Rule

  /// A network whose units are gone through so many times, and which stores patterns by a rule.
  public init(sweeps: Int = 5, rule: Rule = .hebb) {
    sweepCount = sweeps
    self.rule = rule
  }

  public var kind: String { "hopfield_network" }

  /// More units than this make more nodes than can be planned.
  static let largestCount = 2048

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try recall(from: inputs[0].bipolar(), in: context).states
  }

  /// The weight of a network with as many units as the states [N, F].
  package func weight(for states: Tensor, in context: LayerContext) throws -> Tensor {
    guard states.shape.rank == 2, states.shape[1] <= Self.largestCount, sweepCount >= 1 else {
      throw ShapeError(
        kind, "input", expected: "shape [N, F] with F up to \(Self.largestCount)",
        got: "\(states.shape)")
    }
    let count = states.shape[1]
    return try context.parameter("weight", [count, count], .zeros, isTrainable: false)
  }

  /// The weight after patterns [N, F] of 1 and −1 are stored besides what is in it.
  package func storing(_ patterns: Tensor, in context: LayerContext) throws -> Tensor {
    let weight = try weight(for: patterns, in: context)
    let count = patterns.shape[1]
    var values = [Float](repeating: 1 / Float(count), count: count * count)
    for unit in 0..<count { values[unit * count + unit] = 0 }
    let mask = context.builder.constant(HostTensor([count, count], values))
    func outer(_ rows: Tensor) throws -> Tensor { try rows.transpose(0, 1).matmul(rows) }
    switch rule {
    case .hebb: return try weight + outer(patterns) * mask
    case .storkey:
      // A field without i and j is h_j − w_ij x_i, so that each of both products leaves a w_ij behind:
      // x xᵀ − x hᵀ − h xᵀ + 2 w, whose products are (x − h)(x − h)ᵀ − h hᵀ.
      return try (0..<patterns.shape[0]).reduce(weight) { weight, row in
        let pattern = try patterns.narrow(0, start: row, length: 1)
        let field = try pattern.matmul(weight)
        let added = try outer(pattern - field) - outer(field) + weight.affine(scale: 2)
        return try weight + added * mask
      }
    }
  }

  /// E(s) of states [N, F], [N].
  package static func energy(_ states: Tensor, _ weight: Tensor) throws -> Tensor {
    try (states.matmul(weight) * states).sum([1]).affine(scale: -0.5)
  }

  /// What becomes of states.
  package struct Recall {
    /// At the end, [N, F].
    package let states: Tensor
    /// How much the energy changes with each unit that is looked at, in turn, [N, sweeps · F].
    package let energyChanges: Tensor
    /// The units in the order in which they are looked at.
    package let order: [Int]
  }

  /// Appends the recall from states [N, F] of 1 and −1.
  package func recall(from states: Tensor, in context: LayerContext) throws -> Recall {
    let weight = try weight(for: states, in: context)
    let count = states.shape[1]
    let rows = try (0..<count).map { try weight.narrow(0, start: $0, length: 1) }
    var units = try (0..<count).map { try states.narrow(1, start: $0, length: 1) }
    // Kept up to date, so that a unit costs a row of the weight, not all of it.
    var field = try states.matmul(weight)
    var (changes, fields, order) = ([Tensor](), [Tensor](), [Int]())
    let generator = Philox(seed: context.seed, stream: .noise)
    for sweep in 0..<sweepCount {
      for unit in generator.permutation(count, 0x48_6F70, UInt32(sweep)).map(Int.init) {
        let own = try field.narrow(1, start: unit, length: 1)
        let next = try units[unit].following(own)
        let change = try next - units[unit]
        field = try field + change * rows[unit]
        units[unit] = next
        changes.append(change)
        fields.append(own)
        order.append(unit)
      }
    }
    return Recall(
      states: try Tensor.cat(units, dim: 1),
      energyChanges: try -(Tensor.cat(changes, dim: 1) * Tensor.cat(fields, dim: 1)), order: order)
  }
}

/// A bidirectional associative memory: F units and T others, 1 or −1, each joined to all on the other
/// side; E(x, y) = −y·W x.
///
/// As a layer it recalls: from samples [N, F], above 0 or not, both sides go along with their fields in
/// turn, → [N, T] of 1 and −1. Parameter: `weight` [T, F], to which storing adds y xᵀ for every pair.
///
/// Source: Kosko, "Bidirectional associative memories", 1988.
public struct BidirectionalMemory: Layer {
  package let outputCount: Int
  private let roundCount: Int

  /// A memory with so many units on the other side, which go back and forth so many times.
  public init(_ outputCount: Int, rounds: Int = 8) {
    (self.outputCount, roundCount) = (outputCount, rounds)
  }

  public var kind: String { "bidirectional_memory" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    try recall(fromInputs: inputs[0].bipolar(), in: context).outputs
  }

  private func weight(_ inputCount: Int, in context: LayerContext) throws -> Tensor {
    guard outputCount >= 1, roundCount >= 1 else {
      throw ShapeError(kind, "outputs", expected: "at least 1", got: "\(outputCount)")
    }
    return try context.parameter("weight", [outputCount, inputCount], .zeros, isTrainable: false)
  }

  /// The weight after pairs [N, F], [N, T] of 1 and −1 are stored besides what is in it.
  package func storing(
    _ inputs: Tensor, _ outputs: Tensor, in context: LayerContext
  ) throws -> Tensor {
    try weight(inputs.shape[1], in: context) + outputs.transpose(0, 1).matmul(inputs)
  }

  /// E(x, y), [N].
  package func energy(
    _ inputs: Tensor, _ outputs: Tensor, in context: LayerContext
  ) throws -> Tensor {
    let weight = try weight(inputs.shape[1], in: context)
    return try -(inputs.linear(weight: weight) * outputs).sum([1])
  }

  /// A pair that both sides agree on, where they do.
  package typealias Pair = (inputs: Tensor, outputs: Tensor)

  /// Appends the recall from one side, [N, F] of 1 and −1.
  package func recall(fromInputs start: Tensor, in context: LayerContext) throws -> Pair {
    guard start.shape.rank == 2 else {
      throw ShapeError(kind, "input", expected: "shape [N, F]", got: "\(start.shape)")
    }
    let weight = try weight(start.shape[1], in: context)
    return try settled((start, start.linear(weight: weight).bipolar()), weight)
  }

  /// Appends the recall from the other side, [N, T] of 1 and −1.
  package func recall(
    fromOutputs start: Tensor, inputCount: Int, in context: LayerContext
  ) throws -> Pair {
    let weight = try weight(inputCount, in: context)
    let pair = try settled((start.matmul(weight).bipolar(), start), weight)
    return pair
  }

  private func settled(_ start: Pair, _ weight: Tensor) throws -> Pair {
    var (inputs, outputs) = start
    for _ in 0..<roundCount {
      inputs = try inputs.following(outputs.matmul(weight))
      outputs = try outputs.following(inputs.linear(weight: weight))
    }
    return (inputs, outputs)
  }
}
