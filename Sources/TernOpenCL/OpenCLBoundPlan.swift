import COpenCL
import Foundation
import TernCore
import TernGraph
import TernRuntime

/// A plan on an OpenCL device: every step's launches, with all arguments set.
///
/// Inputs are staged in an ``InputRing`` and written between the steps.
final class OpenCLBoundPlan: BoundPlan {
  private let plan: Plan
  private let device: OpenCLDevice
  private let memory: PlanMemory
  /// Per node of the plan's order.
  private let steps: [[any Launch]]
  /// What a step enqueues: the launches of all nodes, or recordings of them.
  private let commands: [any Launch]
  let implementations: [String]
  var launchCount: Int { commands.count }
  private let inputs: InputRing

  private static let launchesBeforeFlush = (first: 30, others: 200)

  init(_ plan: Plan, _ memory: PlanMemory, on device: OpenCLDevice) throws {
    self.plan = plan
    self.device = device
    self.memory = memory
    let encoders = try device.encoders(of: plan) { location, type in
      View(
        memory: memory[location.region].memory, offset: location.offset / type.dataType.byteCount,
        type: type)
    }
    implementations = encoders.map(\.name)
    try device.programs.prepare(encoders.flatMap(\.requests))
    steps = try encoders.map { try $0.finish() }
    commands = try Self.commands(steps.flatMap(\.self), device)
    inputs = try InputRing(
      zip(plan.graph.inputs, memory.inputs).map { (plan.graph.type($0), $1) }, device: device)
    try check(clFinish(device.computeQueue.handle), "clFinish")
  }

  /// What is enqueued to launch all of these.
  private static func commands(_ launches: [any Launch], _ device: OpenCLDevice) throws
    -> [any Launch]
  {
    try device.commandBuffers.map {
      try CommandBuffer.recording(launches, for: device.computeQueue, $0)
    } ?? launches
  }

  func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws {
    try inputs.write(bytes, toInput: index)
  }

  func replay() throws {
    try inputs.deliver()
    try enqueue(commands)
  }

  func stream(_ ids: [ValueID], of graph: Graph) throws -> any StreamedOutputs {
    let ends = Dictionary(grouping: ids.indices) { plan.place(of: ids[$0]) }
    var segments: [OpenCLStreamedOutputs.Segment] = []
    var start = 0
    for (place, outputs) in ends.sorted(by: { $0.key < $1.key }) {
      segments.append(
        .init(
          commands: try Self.commands(steps[start...place].flatMap(\.self), device),
          outputs: outputs))
      start = place + 1
    }
    segments.append(
      .init(commands: try Self.commands(steps[start...].flatMap(\.self), device), outputs: []))
    return OpenCLStreamedOutputs(
      ids.map { id in
        let location = plan.location(id)
        return .init(
          memory: memory[location.region].memory, offset: location.offset,
          byteCount: plan.graph.type(id).byteCount)
      }, segments, device: device)
  }

  func replay(
    streaming outputs: any StreamedOutputs, _ started: (_ index: Int) throws -> Void
  ) throws {
    guard let outputs = outputs as? OpenCLStreamedOutputs else {
      preconditionFailure("outputs of another device")
    }
    try inputs.deliver()
    for segment in outputs.segments {
      try enqueue(segment.commands)
      for index in segment.outputs {
        try outputs.startReading(index)
        try started(index)
      }
    }
  }

  private func enqueue(_ commands: [any Launch]) throws {
    let queue = device.computeQueue.handle
    // Some drivers hold back what was enqueued until they are told: the device starts early and goes on.
    var untilFlush = Self.launchesBeforeFlush.first
    for command in commands {
      try command.enqueue(queue)
      untilFlush -= 1
      if untilFlush == 0 {
        try check(clFlush(queue), "clFlush")
        untilFlush = Self.launchesBeforeFlush.others
      }
    }
    try check(clFlush(queue), "clFlush")
  }

  func startReading(_ id: ValueID) throws -> any PendingRead {
    let location = plan.location(id)
    return try OpenCLRead(
      plan.graph.type(id), from: memory[location.region].memory, offset: location.offset,
      device: device)
  }

  func synchronize() throws { try device.synchronize() }

  func profile() throws -> [Double] {
    let queue = device.computeQueue.handle
    try inputs.deliver()
    try device.synchronize()
    let clock = ContinuousClock()
    return try steps.map { step in
      let start = clock.now
      for launch in step { try launch.enqueue(queue) }
      try device.synchronize()
      return (clock.now - start) / .seconds(1)
    }
  }
}
