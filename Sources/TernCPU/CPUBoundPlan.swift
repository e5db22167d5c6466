import CTeam
import Dispatch
import Foundation
import TernCore
import TernGraph
import TernRuntime

/// A plan whose steps are prepared and whose arguments are set.
final class CPUBoundPlan: BoundPlan {
  private let device: CPUDevice
  private let plan: Plan
  private let memory: PlanMemory
  private let steps: [Step]
  private var governor = ThreadGovernor()
  let implementations: [String]

  init(_ plan: Plan, _ memory: PlanMemory, _ device: CPUDevice) throws {
    self.device = device
    self.plan = plan
    self.memory = memory
    func address(_ location: Plan.Location) -> UnsafeMutableRawPointer {
      (memory[location.region] as! CPUBuffer).address + location.offset
    }
    let lowerings = try plan.order.map {
      try device.context.lower(plan.graph.nodes[$0], in: plan.graph)
    }
    implementations = lowerings.map(\.implementation)
    steps = try zip(plan.order, lowerings).map { index, lowering in
      let node = plan.graph.nodes[index]
      return try lowering.bind(
        Addresses(
          inputs: node.inputs.map { address(plan.location($0)) },
          outputs: node.outputs.map { address(plan.location($0)) },
          workspace: plan.workspaces[index].map(address)))
    }
  }

  func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) throws {
    (memory.inputs[index] as! CPUBuffer).address.copyMemory(
      from: bytes.baseAddress!, byteCount: bytes.count)
  }

  func replay() throws {
    let threads = device.context.threads
    guard threads.count > 1 else {
      try threads.activate()
      for step in steps { try step() }
      return
    }
    try threads.activate(alone: governor.isAlone)
    let (start, waited) = (DispatchTime.now().uptimeNanoseconds, tern_team_waited())
    for step in steps { try step() }
    governor.note(
      seconds: Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9,
      waited: Double(tern_team_waited() - waited) * 1e-9)
  }

  func startReading(_ id: ValueID) throws -> any PendingRead {
    let location = plan.location(id)
    let value = plan.graph[id]
    return CompletedRead(
      try device.read(
        value.type, from: memory[location.region], offset: location.offset, layout: value.layout))
  }

  func synchronize() throws {}

  func profile() throws -> [Double] {
    try device.context.threads.activate()
    return try steps.map { step in
      let start = DispatchTime.now().uptimeNanoseconds
      try step()
      return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
  }
}
