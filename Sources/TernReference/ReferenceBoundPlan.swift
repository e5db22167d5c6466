import TernCore
import TernGraph
import TernRuntime

/// A plan as a list of closures, one per node.
final class ReferenceBoundPlan: BoundPlan {
  private struct Step {
    let label: String
    let kernel: Kernel
    /// The outputs that are rounded after the kernel ran.
    let rounded: [View]

    func run() throws {
      do {
        try kernel()
      } catch let error as TernError {
        throw TernError(error.kind, "\(label): \(error.message)")
      }
      for view in rounded { view.round() }
    }
  }

  private let plan: Plan
  /// Keeps the memory alive that the views point into.
  private let memory: PlanMemory
  private let steps: [Step]

  init(_ plan: Plan, _ memory: PlanMemory, rounding: ReferenceDevice.Rounding) throws {
    self.plan = plan
    self.memory = memory
    steps = try plan.order.map { index in
      let node = plan.graph.nodes[index]
      guard let operation = node.operation as? any ReferenceOperation else {
        preconditionFailure("\(node.label) was planned without being supported")
      }
      let inputs = node.inputs.map { Self.view($0, plan, memory) }
      let outputs = node.outputs.map { Self.view($0, plan, memory) }
      return Step(
        label: node.label, kernel: try operation.kernel(inputs, outputs),
        rounded: rounding == .ofTypes ? outputs.filter { $0.type.dataType.isFloat } : [])
    }
  }

  private static func view(_ id: ValueID, _ plan: Plan, _ memory: PlanMemory) -> View {
    let location = plan.location(id)
    return View(
      plan.graph.type(id), in: memory[location.region], offset: location.offset,
      layout: plan.graph[id].layout)
  }

  /// A value as it is after the steps run so far.
  func view(_ id: ValueID) -> View { Self.view(id, plan, memory) }

  var implementations: [String] { steps.map { _ in "loops" } }

  func upload(_ bytes: UnsafeRawBufferPointer, toInput index: Int) {
    view(plan.graph.inputs[index]).load(bytes)
  }

  func replay() throws {
    for step in steps { try step.run() }
  }

  func startReading(_ id: ValueID) -> any PendingRead { CompletedRead(view(id).hostTensor()) }

  /// Returns at once: every step has ended when `replay` returns.
  func synchronize() {}

  func profile() throws -> [Double] {
    let clock = ContinuousClock()
    return try steps.map { step in try clock.measure { try step.run() } / .seconds(1) }
  }
}
