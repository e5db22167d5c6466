import TernCore
import TernGraph

/// The variables of a training job on one device, and the graphs that read and update them.
///
/// ```swift
/// let session = Session(device: device)
/// let step = try session.compile(graph)
/// try session.write(["w": weights])
/// let outputs = try step.run(["x": batch])
/// ```
public final class Session {
  /// Where everything runs.
  public let device: any Device

  private struct Variable {
    let type: TensorType
    let layout: Layout
    let buffer: any DeviceBuffer
  }

  private var variables: [String: Variable] = [:]

  private let memoryLimit: Int
  private let sharesMemory: Bool
  /// Whether devices merge nodes: without, every operation that a device supports runs by itself.
  package var fuses = true

  /// A session without variables.
  ///
  /// - Parameter memoryLimit: how many bytes its variables and one of its graphs may take at once, where that
  ///   is less than the device has. Values that do not fit are computed again where they are read.
  public convenience init(device: any Device, memoryLimit: Int? = nil) {
    self.init(device: device, memoryLimit: memoryLimit, sharesMemory: true)
  }

  /// - Parameter sharesMemory: whether values whose lifetimes do not overlap may lie in the same memory; that
  ///   they need not is for tests, and for graphs that fit.
  package init(device: any Device, memoryLimit: Int? = nil, sharesMemory: Bool) {
    self.device = device
    self.sharesMemory = sharesMemory
    self.memoryLimit = min(memoryLimit ?? .max, device.info.memoryByteCount)
  }

  /// Compiles one graph. See ``compile(_:)-([Graph])``.
  public func compile(_ graph: Graph) throws -> Executable { try compile([graph])[0] }

  /// Plans and binds graphs that share this session's variables. Their arenas share memory: values
  /// that are not variables hold until another of the graphs runs.
  ///
  /// - Throws: ``TernError`` where the device has no kernel for a node or too little memory.
  public func compile(_ graphs: [Graph]) throws -> [Executable] {
    while true {
      // Each time the device knows of one implementation more that it has no room for.
      do { return try compileOnce(graphs) } catch is PlanOutdated {}
    }
  }

  private func compileOnce(_ graphs: [Graph]) throws -> [Executable] {
    // The first graph that reads a variable chooses its layout for all of them.
    let plans = try fittingPlans(graphs)
    var arenas: [any DeviceBuffer] = []
    for index in 0..<(plans.map(\.arenaByteCounts.count).max() ?? 0) {
      let size = plans.map { index < $0.arenaByteCounts.count ? $0.arenaByteCounts[index] : 0 }
        .max()!
      arenas.append(try device.allocate(byteCount: size))
    }
    return try plans.map { plan in
      let graph = plan.graph
      let memory = PlanMemory(
        arenas: arenas,
        variables: try graph.variables.map { try buffer(for: graph[$0]) },
        inputs: try graph.inputs.map { try device.allocate(byteCount: graph[$0].byteCount) },
        constants: try graph.constants.map { id, value in
          let buffer = try device.allocate(byteCount: graph[id].byteCount)
          try device.write(value, to: buffer, layout: graph[id].layout)
          return buffer
        })
      return Executable(plan: plan, bound: try device.bind(plan, to: memory))
    }
  }

  /// Plans graphs as ``compile(_:)-([Graph])`` does, without allocating anything.
  ///
  /// - Throws: ``TernError`` where they cannot be compiled, of kind `outOfMemory` where they do not fit.
  package func check(_ graphs: [Graph]) throws { _ = try fittingPlans(graphs) }

  /// Plans of graphs that fit together, found before anything is allocated: a system may promise memory that
  /// it does not have. What does not fit as it is computes values again.
  ///
  /// - Throws: ``TernError`` of kind `outOfMemory`.
  private func fittingPlans(_ graphs: [Graph]) throws -> [Plan] {
    func plans(arenaByteCount: Int?) throws -> [Plan] {
      var layouts = variables.mapValues(\.layout)
      return try graphs.map { graph in
        let plan = try plan(graph, variableLayouts: layouts, arenaByteCount: arenaByteCount)
        for id in plan.graph.variables { layouts[plan.graph[id].name] = plan.graph[id].layout }
        return plan
      }
    }
    let whole = try plans(arenaByteCount: nil)
    let taken = byteCounts(of: whole)
    if taken.fixed + taken.arenas <= memoryLimit { return whole }
    guard taken.fixed < memoryLimit else {
      throw TernError(
        .outOfMemory,
        "\((taken.fixed + taken.arenas) >> 20) MiB are needed, \(taken.fixed >> 20) of them for parameters, "
          + "their state and inputs, and \(memoryWords)")
    }
    do { return try plans(arenaByteCount: memoryLimit - taken.fixed) } catch let error as TernError
      where error.kind == .outOfMemory
    {
      throw TernError(
        .outOfMemory,
        "\((taken.fixed + taken.arenas) >> 20) MiB are needed, and \(memoryWords); \(error.message)"
      )
    }
  }

  private var memoryWords: String {
    memoryLimit < device.info.memoryByteCount
      ? "\(memoryLimit >> 20) MiB are given"
      : "\(device.info.id) has \(memoryLimit >> 20) MiB"
  }

  /// What plans take together: variables, inputs and constants; arenas, of which one after the other is used.
  private func byteCounts(of plans: [Plan]) -> (fixed: Int, arenas: Int) {
    var variableBytes = variables.mapValues(\.buffer.byteCount)
    var (total, arenas) = (0, 0)
    for plan in plans {
      let graph = plan.graph
      for id in graph.variables { variableBytes[graph[id].name] = graph[id].byteCount }
      total += (graph.inputs + graph.constants.map(\.id)).reduce(0) { $0 + graph[$1].byteCount }
    }
    for index in 0..<(plans.map(\.arenaByteCounts.count).max() ?? 0) {
      arenas +=
        plans.map { index < $0.arenaByteCounts.count ? $0.arenaByteCounts[index] : 0 }.max() ?? 0
    }
    return (total + variableBytes.values.reduce(0, +), arenas)
  }

  /// Runs all passes and plans the memory of a graph, without allocating anything.
  public func plan(_ graph: Graph) throws -> Plan {
    try plan(graph, variableLayouts: variables.mapValues(\.layout))
  }

  /// - Parameter arenaByteCount: what the values of a step may take; all that they need where `nil`.
  private func plan(
    _ graph: Graph, variableLayouts: [String: Layout], arenaByteCount: Int? = nil
  ) throws -> Plan {
    try checkSize(graph)
    let supported = try graph.removingDeadNodes().decomposing { [device] node, graph in
      node.operation.isView
        || device.supports(node.operation, inputs: graph.types(node.inputs))
    }
    let cast = try device.autocastType.map { type in
      try supported.autocast(to: type, storesAll: device.storesAllByAutocast) { [device] in
        device.supports($0, inputs: $1)
      }
    }
    let fused = fuses ? try device.fusing(cast ?? supported) : cast ?? supported
    let laidOut = try device.assignLayouts(fused, variableLayouts: variableLayouts)
    let final = try laidOut.materializingAssignments()
    if !sharesMemory {
      return try Plan(final, sharesMemory: false) { [device] in
        try device.workspaceByteCount(of: $0, in: final)
      }
    }
    return try Plan(
      final, arenaByteCount: arenaByteCount ?? .max,
      maximumArenaByteCount: device.maximumAllocationByteCount
    ) { [device] in try device.workspaceByteCount(of: $0, in: final) }
  }

  /// The nodes that a graph has at most: planning takes some seconds and half a GiB of them.
  private static let largestNodeCount = 1 << 18

  /// Finds out before anything is lowered that a graph is larger than the device: a library or a driver
  /// that is asked all the same may fail in any way.
  ///
  /// - Throws: ``TernError`` that names the layer.
  private func checkSize(_ graph: Graph) throws {
    guard graph.nodes.count <= Self.largestNodeCount else {
      let layers = Dictionary(grouping: graph.nodes, by: \.layer)
      let largest = layers.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }!
      throw TernError(
        .badData,
        "a graph of \(graph.nodes.count) operations, \(largest.value.count) of them in layer "
          + "\(largest.key): at most \(Self.largestNodeCount) can be planned; give shorter sequences"
      )
    }
    let limit = device.maximumAllocationByteCount
    func check(_ id: ValueID, _ name: @autoclosure () -> String) throws {
      guard graph.type(id).byteCount > limit else { return }
      throw TernError(
        .outOfMemory,
        "\(name()): a tensor \(graph.type(id).shape) of \(graph.type(id).byteCount >> 20) MiB exceeds "
          + "the largest allocation of \(device.info.id), \(limit >> 20) MiB")
    }
    // In the order of the layers, so that the first is named that is too large.
    for id in graph.inputs { try check(id, graph[id].name) }
    for node in graph.nodes where !node.operation.isView {
      for id in node.outputs { try check(id, node.label) }
    }
    for id in graph.variables { try check(id, graph[id].name) }
  }

  private func buffer(for info: ValueInfo) throws -> any DeviceBuffer {
    if let existing = variables[info.name] {
      guard existing.type == info.type, existing.layout == info.layout else {
        throw TernError(
          .runtime,
          "variable \(info.name) is \(existing.type) \(existing.layout), not \(info.type) "
            + "\(info.layout)")
      }
      return existing.buffer
    }
    let buffer = try device.allocateZeros(byteCount: info.byteCount)
    variables[info.name] = Variable(type: info.type, layout: info.layout, buffer: buffer)
    return buffer
  }

  /// The names of all variables, sorted.
  public var variableNames: [String] { variables.keys.sorted() }

  /// The type of a variable; `nil` where there is none of that name.
  public func variableType(_ name: String) -> TensorType? { variables[name]?.type }

  /// Sets variables. A variable starts at zero.
  public func write(_ values: [String: HostTensor]) throws {
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      guard let variable = variables[name] else {
        throw TernError(.badData, "no variable is named \(name)")
      }
      guard variable.type == value.type else {
        throw TernError(.badData, "\(name): expected \(variable.type), got \(value.type)")
      }
      try device.write(value, to: variable.buffer, layout: variable.layout)
    }
  }

  /// Waits for all work enqueued so far.
  public func synchronize() throws { try device.synchronize() }

  /// Reads a variable, after all work enqueued before.
  public func read(_ name: String) throws -> HostTensor {
    guard let variable = variables[name] else {
      throw TernError(.badData, "no variable is named \(name)")
    }
    return try device.read(
      variable.type, from: variable.buffer, offset: 0, layout: variable.layout)
  }
}

/// A graph compiled for a device: its plan, with every argument set.
public final class Executable {
  /// Where its values live, and in which order its nodes run.
  public let plan: Plan
  /// What the device made of the plan.
  package let bound: any BoundPlan
  private let inputIndices: [String: Int]
  private let outputIDs: [String: ValueID]

  init(plan: Plan, bound: any BoundPlan) {
    self.plan = plan
    self.bound = bound
    inputIndices = Dictionary(
      uniqueKeysWithValues: plan.graph.inputs.enumerated().map { (plan.graph[$1].name, $0) })
    outputIDs = Dictionary(plan.graph.outputs.map { ($0.name, $0.id) }) { first, _ in first }
  }

  /// The position of an input, for ``upload(_:toInput:)``; `nil` where the graph does not read it.
  public func inputIndex(_ name: String) -> Int? { inputIndices[name] }

  /// Whether there is an output of that name.
  public func hasOutput(_ name: String) -> Bool { outputIDs[name] != nil }

  /// Hands over the next step's value of an input.
  public func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws {
    precondition(bytes.count == plan.graph[plan.graph.inputs[index]].type.byteCount)
    try bound.upload(bytes, toInput: index)
  }

  /// Hands over the next step's value of an input.
  ///
  /// - Throws: ``TernCore/TernError`` of kind `badData` where the type is another.
  public func upload(_ tensor: HostTensor, toInput index: Int) throws {
    let type = plan.graph[plan.graph.inputs[index]].type
    guard tensor.type == type else {
      throw TernError(
        .badData,
        "input \(plan.graph[plan.graph.inputs[index]].name): expected \(type), got \(tensor.type)")
    }
    try tensor.withUnsafeBytes { try bound.upload($0, toInput: index) }
  }

  /// Hands over the next step's value of a scalar input.
  ///
  /// - Throws: ``TernError`` of kind `usage` where the graph reads no input of that name.
  public func upload<Scalar: BitwiseCopyable>(_ value: Scalar, toInput name: String) throws {
    guard let index = inputIndices[name] else {
      let hint = EditDistance.nearest(to: name, among: inputIndices.keys.sorted())
      throw TernError(
        .usage,
        "the graph reads no input '\(name)'" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    try withUnsafeBytes(of: value) { try upload($0, toInput: index) }
  }

  /// The same where the graph may do without the input.
  package func uploadIfRead<Scalar: BitwiseCopyable>(
    _ value: Scalar, toInput name: String
  ) throws {
    if inputIndices[name] != nil { try upload(value, toInput: name) }
  }

  /// What a step hands to the device; see ``BoundPlan/launchCount``.
  package var launchCount: Int { bound.launchCount }

  /// Starts one step.
  public func step() throws { try bound.replay() }

  /// Starts reading an output as it is after the steps started so far.
  public func startReading(_ output: String) throws -> any PendingRead {
    guard let id = outputIDs[output] else {
      throw TernError(.runtime, "no output is named \(output)")
    }
    return try bound.startReading(id)
  }

  /// Reads an output as it is after the steps started so far, and waits for it.
  public func read(_ output: String) throws -> HostTensor { try startReading(output).wait() }

  /// Waits for all steps started so far.
  public func synchronize() throws { try bound.synchronize() }

  /// Runs every node by itself and returns the seconds each took, in plan order.
  package func profile() throws -> [Double] { try bound.profile() }

  /// Uploads the inputs, runs one step and reads all outputs.
  public func run(_ inputs: [String: HostTensor] = [:]) throws -> [String: HostTensor] {
    for id in plan.graph.inputs {
      let name = plan.graph[id].name
      guard let value = inputs[name] else {
        throw TernError(.runtime, "input \(name) is missing")
      }
      try upload(value, toInput: inputIndices[name]!)
    }
    try step()
    return try outputIDs.mapValues { try bound.startReading($0).wait() }
  }
}
