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
    try replay { for step in steps { try step() } }
  }

  func replay(
    streaming outputs: any StreamedOutputs, _ started: (_ index: Int) throws -> Void
  ) throws {
    guard let outputs = outputs as? PlacedOutputs else {
      preconditionFailure("outputs of another device")
    }
    try replay {
      for (place, step) in steps.enumerated() {
        try step()
        for index in outputs.ends[place] ?? [] { try started(index) }
      }
    }
  }

  func stream(_ ids: [ValueID], of graph: Graph) -> any StreamedOutputs {
    PlacedOutputs(
      ids.map { id in
        precondition(plan.graph[id].layout == .dense, "an output that is not dense")
        let location = plan.location(id)
        return UnsafeRawBufferPointer(
          start: (memory[location.region] as! CPUBuffer).address + location.offset,
          count: plan.graph.type(id).byteCount)
      }, ends: Dictionary(grouping: ids.indices) { plan.place(of: ids[$0]) })
  }

  func hostMemory(ofInput index: Int) -> UnsafeMutableRawBufferPointer? {
    UnsafeMutableRawBufferPointer(
      start: (memory.inputs[index] as! CPUBuffer).address,
      count: plan.graph.type(plan.graph.inputs[index]).byteCount)
  }

  private func replay(_ steps: () throws -> Void) throws {
    let threads = device.context.threads
    guard threads.count > 1 else {
      try threads.activate()
      return try steps()
    }
    try threads.activate(alone: governor.isAlone)
    let (start, waited) = (DispatchTime.now().uptimeNanoseconds, tern_team_waited())
    try steps()
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

/// Outputs that are read where the step computes them: no copy.
private final class PlacedOutputs: StreamedOutputs, @unchecked Sendable {
  private let places: [UnsafeRawBufferPointer]
  /// The outputs that are there behind a node of the plan's order.
  let ends: [Int: [Int]]

  init(_ places: [UnsafeRawBufferPointer], ends: [Int: [Int]]) {
    (self.places, self.ends) = (places, ends)
  }

  func bytes(_ index: Int) -> UnsafeRawBufferPointer { places[index] }
}
