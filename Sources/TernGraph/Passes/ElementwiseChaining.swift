import TernCore

/// Which chains of elementwise operations a device computes in one.
package struct ElementwiseClaim: Sendable {
  /// The most operations of a chain.
  package var links: Int
  /// The most tensors that a chain reads and writes.
  package var tensors: Int
  /// The most values of a chain that others read.
  package var outputs: Int
  /// Whether operands may be repeated along axes, be numbers, or be parts of tensors, and whether outputs
  /// may be joined to larger ones.
  package var readsAnyPlace: Bool
  /// What the elements may be.
  package var types: Set<DataType>

  package init(
    links: Int, tensors: Int, outputs: Int, readsAnyPlace: Bool, types: Set<DataType> = [.float32]
  ) {
    (self.links, self.tensors) = (links, tensors)
    (self.outputs, self.readsAnyPlace, self.types) = (outputs, readsAnyPlace, types)
  }
}

extension Graph {
  /// With elementwise operations that read one another merged into chains, as far as a device claims
  /// them. A chain runs where its last operation ran: whatever reads one of its values stands behind that.
  package func chainingElementwise(_ claim: ElementwiseClaim) throws -> Graph {
    var chaining = Chaining(self, claim)
    for index in nodes.indices { chaining.extend(by: index) }
    let chains = chaining.chains
    if chains.isEmpty { return self }
    var rewriter = GraphRewriter(self)
    for (index, node) in nodes.enumerated() {
      guard let chain = chains[index] else {
        if !chaining.isMember(index) { rewriter.copy(node) }
        continue
      }
      let inputs = chain.inputs.map { rewriter[$0] }
      let outputs = try rewriter.append(chain.operation, inputs, scope: node.scope)
      for (old, new) in zip(chain.outputs, outputs) { rewriter.replace(old, with: new) }
    }
    // Parts that only chains read are read where they are.
    return rewriter.finish().removingDeadNodes()
  }
}

/// Elementwise operations as they are put together, from the first node to the last.
private struct Chaining {
  typealias Chain = Operations.ElementwiseChain

  /// Operations that read one another.
  struct Region {
    /// In their order.
    var members: [Int]
    let shape: Shape
    /// What joins values of the region to a larger tensor.
    var joins: [Int] = []
  }

  let graph: Graph
  let claim: ElementwiseClaim
  let readers: GraphReaders
  /// Per node, what it computes element by element.
  let functions: [Chain.Function?]
  /// Per value, the first node that overwrites it.
  private let overwriters: [ValueID: Int]
  private let numbers: [ValueID: Float]
  /// By the first member.
  private var regions: [Int: Region] = [:]
  /// Per node, the region that it belongs to.
  private var regionOf: [Int?]

  init(_ graph: Graph, _ claim: ElementwiseClaim) {
    self.graph = graph
    self.claim = claim
    readers = GraphReaders(graph)
    functions = graph.nodes.map { node in
      let shape = graph.type(node.outputs[0]).shape
      guard let function = Chain.Function(node.operation),
        claim.types.contains(graph.type(node.outputs[0]).dataType),
        claim.readsAnyPlace || node.inputs.allSatisfy({ graph.type($0).shape == shape })
      else { return nil }
      return function
    }
    regionOf = [Int?](repeating: nil, count: graph.nodes.count)
    let single = claim.readsAnyPlace ? graph.constants : []
    numbers = Dictionary(
      uniqueKeysWithValues: single.compactMap { id, value in
        value.type.dataType.isFloat && value.shape.elementCount == 1
          ? (id, value.floats[0]) : nil
      })
    overwriters = graph.firstOverwriters
  }

  // MARK: Growing

  /// Lets a node join the regions of what it reads.
  mutating func extend(by index: Int) {
    let node = graph.nodes[index]
    if let cat = node.operation as? Operations.Cat { return join(index, cat) }
    guard functions[index] != nil else { return }
    var region = Region(members: [index], shape: graph.type(node.outputs[0]).shape)
    var merged: [Int] = []
    let producers = node.inputs.compactMap(readers.producer).sorted()
    for producer in producers {
      guard let first = regionOf[producer], !merged.contains(first),
        let other = regions[first], other.shape == region.shape, other.joins.isEmpty
      else { continue }
      var larger = region
      larger.members = (region.members + other.members).sorted()
      guard fits(larger, before: index) else { continue }
      (region, merged) = (larger, merged + [first])
    }
    for first in merged { regions[first] = nil }
    regions[region.members[0]] = region
    for member in region.members { regionOf[member] = region.members[0] }
  }

  /// Lets regions write what joins their values; they become one.
  private mutating func join(_ index: Int, _ cat: Operations.Cat) {
    let inputs = graph.nodes[index].inputs
    let firsts = inputs.map { readers.producer(of: $0).flatMap { regionOf[$0] } }
    let known = Set(firsts.compactMap(\.self)).sorted()
    guard claim.readsAnyPlace, firsts.allSatisfy({ $0 != nil }), var region = regions[known[0]],
      known.allSatisfy({ regions[$0]!.shape == region.shape })
    else { return }
    region.members = known.flatMap { regions[$0]!.members }.sorted()
    region.joins = known.flatMap { regions[$0]!.joins } + [index]
    guard fits(region, before: index) else { return }
    for first in known { regions[first] = nil }
    regions[region.members[0]] = region
    for member in region.members + region.joins { regionOf[member] = region.members[0] }
  }

  /// Whether a region may run as a chain at the place of `last`.
  private func fits(_ region: Region, before last: Int) -> Bool {
    guard region.members.count <= claim.links else { return false }
    let own = Set(region.members + region.joins)
    // Whoever reads a value of the region stands behind it.
    for member in own {
      for reader in readers.allReaders(of: graph.nodes[member].outputs[0])
      where !own.contains(reader) && reader < last {
        return false
      }
      // What the region reads is still there at its place.
      for input in graph.nodes[member].inputs {
        if let overwriter = overwriters[graph.root(of: input)], overwriter < last { return false }
      }
    }
    let outputs = outputs(of: region)
    guard outputs.count <= claim.outputs else { return false }
    let parts = outputs.reduce(0) { sum, output in
      sum + (graph.nodes[output].operation is Operations.Cat ? graph.nodes[output].inputs.count : 1)
    }
    return parts + operandCount(of: region) <= claim.tensors
  }

  /// The nodes of a region whose values are read outside of it.
  private func outputs(of region: Region) -> [Int] {
    let own = Set(region.members + region.joins)
    return own.sorted().filter { member in
      let id = graph.nodes[member].outputs[0]
      let all = readers.allReaders(of: id)
      return readers.readers(of: id) == nil || all.isEmpty || !all.allSatisfy(own.contains)
    }
  }

  private func operandCount(of region: Region) -> Int {
    let own = Set(region.members)
    return Set(
      region.members.flatMap { graph.nodes[$0].inputs }.filter { id in
        !(readers.producer(of: id).map(own.contains) ?? false)
      }
    ).count
  }

  // MARK: Chains

  /// Whether a node is computed by a chain.
  func isMember(_ index: Int) -> Bool {
    regionOf[index].flatMap { regions[$0] }.map(isWorthwhile) ?? false
  }

  private func isWorthwhile(_ region: Region) -> Bool {
    region.members.count > 1 || !region.joins.isEmpty
      || region.members.contains { member in
        graph.nodes[member].inputs.contains { !read($0, shape: region.shape).views.isEmpty }
      }
  }

  /// The chains with the values that they read and compute, by the node at whose place they run.
  var chains: [Int: (operation: Chain, inputs: [ValueID], outputs: [ValueID])] {
    Dictionary(
      uniqueKeysWithValues: regions.values.filter(isWorthwhile).map { region in
        (region.joins.last ?? region.members.last!, chain(region))
      })
  }

  private func chain(
    _ region: Region
  ) -> (operation: Chain, inputs: [ValueID], outputs: [ValueID]) {
    var inputs: [ValueID] = []
    var reads: [Chain.Read] = []
    let positions = Dictionary(
      uniqueKeysWithValues: region.members.enumerated().map { (graph.nodes[$1].outputs[0], $0) })
    func operand(_ id: ValueID, beside others: [ValueID]) -> Chain.Operand {
      if let position = positions[id] { return .link(position) }
      // The other operand gives the result its shape.
      if let number = numbers[id],
        others.contains(where: { numbers[$0] == nil && graph.type($0).shape == region.shape })
      {
        return .number(number)
      }
      let (source, views) = read(id, shape: region.shape)
      let input = inputs.firstIndex(of: source) ?? inputs.count
      if input == inputs.count { inputs.append(source) }
      let new = Chain.Read(input: input, views: views)
      let index = reads.firstIndex(of: new) ?? reads.count
      if index == reads.count { reads.append(new) }
      return .read(index)
    }
    let links = region.members.map { member in
      let inputs = graph.nodes[member].inputs
      return Chain.Link(
        function: functions[member]!, operands: inputs.map { operand($0, beside: inputs) })
    }
    let outputs = outputs(of: region)
    let writes = outputs.map { output -> Chain.Write in
      let node = graph.nodes[output]
      guard let cat = node.operation as? Operations.Cat else {
        return .link(positions[node.outputs[0]]!)
      }
      return .cat(node.inputs.map { positions[$0]! }, axis: cat.axis)
    }
    return (
      Chain(shape: region.shape, reads: reads, links: links, writes: writes), inputs,
      outputs.map { graph.nodes[$0].outputs[0] }
    )
  }

  /// The value that is read in place of a part of it.
  private func read(_ id: ValueID, shape: Shape) -> (source: ValueID, views: [Chain.ViewStep]) {
    guard claim.readsAnyPlace else { return (id, []) }
    var source = id
    var views: [Chain.ViewStep] = []
    var best = (source: id, views: views)
    while let producer = readers.producer(of: source) {
      let node = graph.nodes[producer]
      switch node.operation {
      case let part as Operations.Narrow: views.insert(.part(part), at: 0)
      case let reshape as Operations.Reshape: views.insert(.reshaped(reshape.shape), at: 0)
      default: return best
      }
      source = node.inputs[0]
      // A view costs nothing as it is: only parts are worth it, if they have a place.
      guard claim.types.contains(graph.type(source).dataType),
        overwriters[graph.root(of: source)] == nil,
        Chain.Placement(Chain.Read(input: 0, views: views), of: graph.type(source)) != nil
      else { return best }
      if node.operation is Operations.Narrow { best = (source, views) }
    }
    return best
  }
}
