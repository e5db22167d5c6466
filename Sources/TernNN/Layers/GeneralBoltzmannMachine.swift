import TernCore
import TernGraph

/// A Boltzmann machine: V visible and H hidden units, 0 or 1, each joined to every other;
/// E(s) = −½ s·W s − b·s. With no hidden units it knows of pairs alone.
///
/// As a layer it gives the logarithm of the probability of its samples, [N, V] → [N, 1], summed over
/// all hidden states and divided by the sum over all states, so it is for few units. Parameters:
/// `weight` [V + H, V + H], of which W is the symmetric part without its diagonal, and `bias` [V + H],
/// the visible units first.
///
/// Source: Ackley, Hinton, Sejnowski, "A learning algorithm for Boltzmann machines", 1985.
public struct BoltzmannMachine: Layer {
  package let hiddenCount: Int

  /// A machine with so many hidden units.
  public init(hidden hiddenCount: Int) { self.hiddenCount = hiddenCount }

  public var kind: String { "boltzmann_machine" }

  /// All states are gone through.
  package static let largestCount = 16

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let units = try units(inputs[0], in: context)
    let visible = inputs[0].shape[1]
    let all = inputs[0].builder.constant(Self.states(visible))
    let total = try logSum(all, units).reshape([1, 1 << visible]).logSumExp()
    return try logSum(inputs[0], units) - total
  }

  /// The numbers of a machine.
  package struct Units {
    /// Symmetric, with a diagonal of 0.
    package let weight: Tensor
    package let bias: Tensor

    package init(weight: Tensor, bias: Tensor) { (self.weight, self.bias) = (weight, bias) }

    package var count: Int { bias.shape[0] }
  }

  /// The units of a machine for samples [N, V].
  package func units(_ x: Tensor, in context: LayerContext) throws -> Units {
    guard x.shape.rank == 2, hiddenCount >= 0, x.shape[1] + hiddenCount <= Self.largestCount else {
      throw ShapeError(
        kind, "input",
        expected:
          "shape [N, V] with at most \(Self.largestCount) units, \(hiddenCount) hidden ones "
          + "among them (rbm and dbm take any number)", got: "\(x.shape)")
    }
    let count = x.shape[1] + hiddenCount
    let weight = try context.parameter("weight", [count, count], .normal(deviation: 0.5))
    var mask = [Float](repeating: 0.5, count: count * count)
    for unit in 0..<count { mask[unit * count + unit] = 0 }
    return Units(
      weight: try (weight + weight.transpose(0, 1))
        * context.builder.constant(HostTensor([count, count], mask)),
      bias: try context.parameter("bias", [count], .zeros))
  }

  /// E(s) of states [N, V + H], [N].
  package static func energy(_ states: Tensor, _ units: Units) throws -> Tensor {
    try -((states.matmul(units.weight).affine(scale: 0.5) + units.bias) * states).sum([1])
  }

  /// All states of some units, a row each, the first unit changing slowest.
  package static func states(_ count: Int) -> HostTensor {
    let rows = 1 << count
    return HostTensor(
      [rows, count],
      (0..<rows).flatMap { row in (0..<count).map { Float(row >> (count - 1 - $0) & 1) } })
  }

  /// log Σ e^−E(v, h) over all hidden states, [N, 1].
  private func logSum(_ visible: Tensor, _ units: Units) throws -> Tensor {
    let count = visible.shape[1]
    func part(_ tensor: Tensor, _ axis: Int, _ isHidden: Bool) throws -> Tensor {
      try tensor.narrow(axis, start: isHidden ? count : 0, length: isHidden ? hiddenCount : count)
    }
    let rows = try part(units.weight, 0, false)
    let own = try Units(weight: part(rows, 1, false), bias: part(units.bias, 0, false))
    let visibleTerm = try -Self.energy(visible, own).reshape([visible.shape[0], 1])
    guard hiddenCount > 0 else { return visibleTerm }
    let states = visible.builder.constant(Self.states(hiddenCount))
    let hidden = try Units(
      weight: part(part(units.weight, 0, true), 1, true), bias: part(units.bias, 0, true))
    let hiddenTerm = try -Self.energy(states, hidden).reshape([1, 1 << hiddenCount])
    let joint = try visible.matmul(part(rows, 1, true)).matmul(states.transpose(0, 1))
    return try visibleTerm + (joint + hiddenTerm).logSumExp()
  }

  /// Appends sweeps of Gibbs sampling: each unit in turn is drawn given the others.
  ///
  /// - Parameters:
  ///   - states: [N, V + H] of 0 and 1.
  ///   - first: the units before this one keep their states.
  package static func sampling(
    _ states: Tensor, _ units: Units, from first: Int = 0, sweeps: Int, in context: LayerContext
  ) throws -> Tensor {
    let count = units.count
    guard first < count else { return states }
    var columns = try (0..<count).map { try states.narrow(1, start: $0, length: 1) }
    let rows = try (0..<count).map { try units.weight.narrow(0, start: $0, length: 1) }
    var field = try states.matmul(units.weight) + units.bias
    for _ in 0..<max(sweeps, 1) {
      for unit in first..<count {
        let probability = try field.narrow(1, start: unit, length: 1).sigmoid()
        let next = try context.bernoulli(probability)
        field = try field + (next - columns[unit]) * rows[unit]
        columns[unit] = next
      }
    }
    return try Tensor.cat(columns, dim: 1)
  }
}

extension Tensor {
  /// log Σ eˣ along the last of two axes, [N, M] → [N, 1].
  func logSumExp() throws -> Tensor {
    let largest = try amax([1], keepsAxes: true)
    return try (self - largest).exp().sum([1], keepsAxes: true).log() + largest
  }
}
