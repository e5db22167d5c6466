import Tern

/// A legal network drawn by a seed: operations on earlier values, with values that several read, parameters
/// that several share, views and chains.
///
/// A step names what it reads by number, modulo what there is; where it does not fit the value it is left out.
/// So every list of steps is a network, and any step can be taken out of one.
package struct RandomNetwork: Sendable, CustomStringConvertible {
  /// An operation and the numbers it is made of.
  package struct Step: Hashable, Sendable {
    let kind: Kind
    let numbers: [Int]
  }

  enum Kind: String, CaseIterable, Sendable {
    case unary, scale, binary, binaryWithParameter, conv2d, depthwise, linear, batchNorm, layerNorm
    case groupNorm, maxPool, avgPool, softmax, flatten, reshape, permute, narrow, pad, cat, reduce
    case product, attention, dropout, localResponseNorm, interpolate
  }

  package let seed: UInt64
  package var steps: [Step]

  /// The network of a seed.
  package init(seed: UInt64) {
    self.seed = seed
    let generator = Philox(seed: seed, stream: .data)
    func number(_ position: Int, _ count: Int) -> Int {
      Int(generator.words(block: UInt64(position), 1, 0).0 % UInt32(count))
    }
    // Some short, some long: chains are found in both.
    let count = 3 + number(0, 14)
    steps = (0..<count).map { step in
      let draws = (0..<6).map { number(1 + 7 * step + $0, 1 << 20) }
      // Elementwise operations make chains: half of all steps are.
      let kinds =
        number(7 + 7 * step, 2) == 0
        ? [Kind.unary, .scale, .binary, .binaryWithParameter] : Kind.allCases
      return Step(kind: kinds[draws[5] % kinds.count], numbers: Array(draws.prefix(5)))
    }
  }

  package var description: String {
    "seed \(seed):\n"
      + steps.enumerated().map { "  %\($0 + 1) \($1.kind.rawValue) \($1.numbers)" }
      .joined(separator: "\n")
  }

  // MARK: As a graph

  /// A graph with its loss, gradients of all parameters, and what its inputs are.
  package struct Built {
    package let graph: Graph
    /// Values of the inputs and parameters, by name.
    package let values: [String: HostTensor]
    /// The parameters, which are inputs too, or variables that a step updates.
    package let parameters: [String]
  }

  static let stepInput = "step"

  /// Writes the network down.
  ///
  /// - Parameter updates: whether parameters are variables, which Adam updates.
  package func built(updates: Bool = false) throws -> Built {
    var writer = Writer(self, updates: updates)
    for step in steps { try? writer.append(step) }
    return try writer.finish()
  }
}

/// Writes a random network down, step by step.
private struct Writer {
  let network: RandomNetwork
  let updates: Bool
  let builder = GraphBuilder()
  let generator: Philox
  var values: [String: HostTensor] = [:]
  var parameters: [(name: String, tensor: Tensor)] = []
  var tensors: [Tensor] = []
  var read: Set<ValueID> = []
  let step: Tensor

  /// More elements make no other graph, only a slower one.
  private static let largestCount = 4096

  init(_ network: RandomNetwork, updates: Bool) {
    self.network = network
    self.updates = updates
    generator = Philox(seed: network.seed, stream: .noise)
    // Names and types are our own.
    step = try! builder.input(RandomNetwork.stepInput, TensorType([], .int32))
    let extents = generator.words((7, 7, 7, 7))
    let shape = Shape([
      1 + Int(extents.0 % 3), [2, 3, 4, 8][Int(extents.1 % 4)], 3 + Int(extents.2 % 6),
      3 + Int(extents.3 % 6),
    ])
    values[RandomNetwork.stepInput] = HostTensor([], [Int32(1)])
    let x = try! builder.input("x", shape)
    values["x"] = normal(shape, 0)
    tensors = [x]
  }

  private func normal(_ shape: Shape, _ position: Int, scale: Float = 1) -> HostTensor {
    let draws = Philox(seed: network.seed &+ UInt64(position) &* 0x9E37, stream: .data)
      .normals(shape.elementCount, 3)
    return HostTensor(shape, draws.map { $0 * scale })
  }

  /// A parameter of a shape: one that there is already, every third time.
  private mutating func parameter(_ shape: Shape, _ draw: Int, scale: Float? = nil) throws -> Tensor
  {
    let known = parameters.filter { $0.tensor.shape == shape }
    if draw % 3 == 0, let shared = known.first { return shared.tensor }
    let name = "p\(parameters.count)"
    let tensor = updates ? try builder.variable(name, shape) : try builder.input(name, shape)
    let fanIn = shape.rank >= 2 ? shape.elementCount / shape[0] : 1
    values[name] = normal(
      shape, 1 + parameters.count, scale: scale ?? 1 / Float(fanIn).squareRoot())
    parameters.append((name, tensor))
    return tensor
  }

  mutating func append(_ step: RandomNetwork.Step) throws {
    let n = step.numbers
    // The newest values are read most, the older ones now and then: skips.
    let x = tensors[n[0] % 3 == 0 ? n[1] % tensors.count : tensors.count - 1]
    let y = try result(step.kind, x, n)
    guard y.shape.elementCount <= Self.largestCount, y.id != x.id else { return }
    tensors.append(y)
  }

  private mutating func result(
    _ kind: RandomNetwork.Kind, _ x: Tensor, _ n: [Int]
  ) throws -> Tensor {
    let rank = x.shape.rank
    let axis = n[2] % max(rank, 1)
    switch kind {
    case .unary: return try Self.unary(x, n[2])
    case .scale:
      return try x.affine(scale: Float(n[2] % 7 - 3) / 2 + 0.25, shift: Float(n[3] % 5 - 2) / 4)
    case .binary: return try Self.binary(x, partner(of: x, n[3]), n[2])
    case .binaryWithParameter:
      // One element for all, one a channel, one each, or one along the innermost axis.
      let shapes: [Shape] = [
        [], Shape([x.shape[min(1, rank - 1)]] + [Int](repeating: 1, count: max(rank - 2, 0))),
        x.shape, Shape(Array(x.shape.dimensions.suffix(1))),
      ]
      let other = try parameter(shapes[n[3] % shapes.count], n[4])
      return try n[1] % 2 == 0
        ? Self.binary(x, other, n[2]) : Self.binary(other.expand(x.shape), x, n[2])
    case .conv2d:
      try require(rank == 4)
      let size = [1, 3][n[2] % 2]
      let weight = try parameter([[2, 4, 8][n[3] % 3], x.shape[1], size, size], n[4])
      let bias = n[4] % 2 == 0 ? try parameter([weight.shape[0]], n[1]) : nil
      return try x.conv2d(
        weight: weight, bias: bias, stride: n[1] % 4 == 0 ? [2, 2] : [1, 1],
        padding: [size / 2, size / 2])
    case .depthwise:
      try require(rank == 4)
      return try x.conv2d(
        weight: parameter([x.shape[1], 1, 3, 3], n[4]), padding: [1, 1], groups: x.shape[1])
    case .linear:
      try require(rank >= 2)
      let width = [3, 8, 10][n[3] % 3]
      return try x.linear(
        weight: parameter([width, x.shape[rank - 1]], n[4]),
        bias: n[2] % 2 == 0 ? parameter([width], n[1]) : nil)
    case .batchNorm:
      try require(rank >= 2 && x.shape.elementCount / x.shape[1] >= 4)
      let shape = Shape([x.shape[1]])
      return try x.batchNormTraining(
        runningMean: nil, runningVariance: nil, weight: parameter(shape, n[3], scale: 1),
        bias: parameter(shape, n[4])
      ).output
    case .layerNorm:
      try require(rank >= 2 && x.shape[rank - 1] >= 3)
      return try x.layerNorm(
        [x.shape[rank - 1]], weight: n[2] % 2 == 0 ? parameter([x.shape[rank - 1]], n[3]) : nil)
    case .groupNorm:
      try require(rank == 4 && x.shape[1] % 2 == 0)
      return try x.groupNorm(groups: 2, weight: parameter([x.shape[1]], n[3], scale: 1))
    case .maxPool:
      try require(rank == 4 && x.shape[2] >= 2 && x.shape[3] >= 2)
      return try x.maxPool2d(PoolingWindow(kernel: [2, 2], stride: n[2] % 2 == 0 ? nil : [1, 1]))
    case .avgPool:
      try require(rank == 4 && x.shape[2] >= 3 && x.shape[3] >= 3)
      return try x.avgPool2d(PoolingWindow(kernel: [3, 3], stride: [2, 2], padding: [1, 1]))
    case .softmax:
      try require(rank >= 1)
      return try n[3] % 2 == 0 ? x.softmax(dim: axis) : x.logSoftmax(dim: axis)
    case .flatten: return try rank > 2 ? x.flatten() : x
    case .reshape:
      try require(rank >= 2)
      let rows = x.shape[0]
      let columns = x.shape.elementCount / rows
      let half = columns % 2 == 0 ? 2 : 1
      return try x.reshape([rows, half, columns / half])
    case .permute:
      try require(rank >= 2)
      let other = n[3] % rank
      return try axis == other ? x : x.transpose(axis, other)
    case .narrow:
      try require(rank >= 1 && x.shape[axis] >= 2)
      let length = 1 + n[3] % (x.shape[axis] - 1)
      return try x.narrow(axis, start: n[4] % (x.shape[axis] - length + 1), length: length)
    case .pad:
      try require(rank >= 2)
      return try x.pad([n[2] % 2, 1, n[3] % 2, n[4] % 2])
    case .cat: return try Tensor.cat([x, partner(of: x, n[3])], dim: axis)
    case .reduce:
      try require(rank >= 2)
      let keeps = n[3] % 2 == 0
      return try n[4] % 3 == 0
        ? x.amax([axis], keepsAxes: keeps)
        : n[4] % 3 == 1 ? x.sum([axis], keepsAxes: keeps) : x.mean([axis], keepsAxes: keeps)
    case .product:
      try require(rank == 2 || rank == 3)
      return try x.matmul(x.transpose(rank - 2, rank - 1)).affine(
        scale: 1 / Float(x.shape[rank - 1]))
    case .attention:
      try require(rank == 3)
      return try x.scaledDotProductAttention(key: x.tanh(), value: x, isCausal: n[2] % 2 == 0)
    case .dropout:
      return try x.dropout(
        probability: 0.25, seed: network.seed, stream: UInt32(tensors.count), step: self.step)
    case .localResponseNorm:
      try require(rank == 4)
      return try x.localResponseNorm(size: 3, alpha: 0.5)
    case .interpolate:
      try require(rank == 4)
      return try x.interpolate(
        n[2] % 2 == 0 ? .nearest : .bilinear(alignsCorners: false), height: x.shape[2] + 2,
        width: x.shape[3] * 2)
    }
  }

  private struct DoesNotFit: Error {}

  private func require(_ condition: Bool) throws { if !condition { throw DoesNotFit() } }

  /// Another value of the same shape, the newest one or the value itself.
  private func partner(of x: Tensor, _ draw: Int) -> Tensor {
    let fitting = tensors.filter { $0.shape == x.shape }
    return fitting.isEmpty ? x : fitting[draw % fitting.count]
  }

  private static func unary(_ x: Tensor, _ draw: Int) throws -> Tensor {
    switch draw % 12 {
    case 0, 1, 2: try x.relu()
    case 3: try x.tanh()
    case 4: try x.sigmoid()
    case 5: try x.gelu()
    case 6: try x.silu()
    case 7: try x.square().affine(scale: 0.25)
    case 8: try x.abs()
    case 9: try x.clamp(min: -1, max: 1.5)
    case 10: try x.softplus()
    default: try x.leakyReLU(negativeSlope: 0.1)
    }
  }

  private static func binary(_ a: Tensor, _ b: Tensor, _ draw: Int) throws -> Tensor {
    switch draw % 7 {
    case 0, 1, 2: try a + b
    case 3: try a - b
    case 4: try a * b
    case 5: try a.maximum(b)
    default: try a / (b.square().affine(scale: 1, shift: 1))
    }
  }

  /// The loss takes in all that nothing else reads, so that every step has a gradient.
  mutating func finish() throws -> RandomNetwork.Built {
    let read = Set(builder.graph.nodes.flatMap(\.inputs))
    let ends = tensors.filter { !read.contains($0.id) }
    var loss = builder.constant(0)
    for (number, end) in ends.enumerated() {
      builder.output("end\(number)", end)
      let weights = builder.constant(normal(end.shape, 1000 + number))
      loss = try loss + (end * weights).mean()
    }
    builder.output("loss", loss)
    let gradients = try builder.gradients(of: loss, withRespectTo: parameters.map(\.tensor))
    let pairs = zip(parameters, gradients).compactMap { entry, gradient in
      gradient.map { (entry.name, entry.tensor, $0) }
    }
    for (name, _, gradient) in pairs { builder.output("gradient.\(name)", gradient) }
    if updates, !pairs.isEmpty {
      try Optimizer.adam().update(
        pairs.map { ($0.1, $0.2) }, in: builder, learningRate: builder.constant(0.01), step: step)
    }
    return RandomNetwork.Built(
      graph: builder.graph, values: values, parameters: parameters.map(\.name))
  }
}
