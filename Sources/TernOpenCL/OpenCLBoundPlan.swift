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
    let launches = steps.flatMap(\.self)
    commands =
      try device.commandBuffers.map {
        try CommandBuffer.recording(launches, for: device.computeQueue, $0)
      } ?? launches
    inputs = try InputRing(
      zip(plan.graph.inputs, memory.inputs).map { (plan.graph.type($0), $1) }, device: device)
    try check(clFinish(device.computeQueue.handle), "clFinish")
  }

  func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws {
    try inputs.write(bytes, toInput: index)
  }

  func replay() throws {
    let queue = device.computeQueue.handle
    try inputs.deliver()
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
