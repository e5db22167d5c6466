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
  private let inputs: InputRing

  init(_ plan: Plan, _ memory: PlanMemory, on device: OpenCLDevice) throws {
    self.plan = plan
    self.device = device
    self.memory = memory
    let graph = plan.graph
    func view(_ location: Plan.Location, _ type: TensorType) -> View {
      View(
        memory: memory[location.region].memory, offset: location.offset / type.dataType.byteCount,
        type: type)
    }
    func view(_ id: ValueID) -> View { view(plan.location(id), graph.type(id)) }
    var implementations: [String] = []
    steps = try plan.order.map { index in
      let node = graph.nodes[index]
      guard let operation = node.operation as? any OpenCLOperation else {
        throw TernError(.runtime, "the device has no kernel for \(node.label)")
      }
      let size = try operation.workspaceByteCount(
        inputs: graph.types(node.inputs), outputs: graph.types(node.outputs), on: device)
      let encoder = StepEncoder(
        device: device,
        workspace: plan.workspaces[index].map { view($0, TensorType([size / 4])) })
      try operation.encode(node.inputs.map(view), node.outputs.map(view), in: encoder)
      implementations.append(
        encoder.implementation ?? encoder.kernelNames.joined(separator: " + "))
      return encoder.launches
    }
    self.implementations = implementations
    let launches = steps.flatMap(\.self)
    commands =
      try device.commandBuffers.map {
        try CommandBuffer.recording(launches, for: device.computeQueue, $0)
      } ?? launches
    inputs = InputRing(
      zip(graph.inputs, memory.inputs).map { (graph.type($0), $1) }, device: device)
    try check(clFinish(device.computeQueue.handle), "clFinish")
  }

  func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws {
    try inputs.write(bytes, toInput: index)
  }

  func replay() throws {
    let queue = device.computeQueue.handle
    try inputs.deliver()
    for command in commands { try command.enqueue(queue) }
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
