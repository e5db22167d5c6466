import COpenCL
import TernCore
import TernGraph
import TernRuntime

extension OpenCLDevice {
  /// The launches of each node, in the plan's order; nothing is compiled yet.
  ///
  /// - Parameter place: where in device memory a place of the plan is.
  func encoders(of plan: Plan, at place: (Plan.Location, TensorType) -> View) throws
    -> [StepEncoder]
  {
    let graph = plan.graph
    let together = NodesTogether(plan, sharesLaunches: architecture == .manyThreads)
    func view(_ id: ValueID) -> View {
      let id = together.places[id] ?? id
      return place(plan.location(id), graph.type(id))
    }
    func kernel(_ index: Int) -> ElementwiseKernel {
      let node = graph.nodes[index]
      return graph.elementwiseChain(index)!.kernel(node.inputs.map(view), node.outputs.map(view))
    }
    return try plan.order.map { index in
      let node = graph.nodes[index]
      if let role = together.roles[index] {
        let encoder = StepEncoder(device: self, workspace: nil)
        switch role {
        case .elsewhere: encoder.implementation = "together"
        case .updates(let nodes):
          let updates = nodes.map { ParameterUpdate(graph.nodes[$0])! }
          try updates[0].rule.encode(
            updates.map { $0.own.map(view) }, scale: updates[0].scale.map(view), in: encoder)
        case .chains(let nodes):
          try ElementwiseKernel.encode(nodes.map(kernel), in: encoder)
        }
        return encoder
      }
      guard let operation = node.operation as? any OpenCLOperation else {
        throw TernError(.runtime, "the device has no kernel for \(node.label)")
      }
      let size = try operation.workspaceByteCount(
        inputs: graph.types(node.inputs), outputs: graph.types(node.outputs), on: self)
      let encoder = StepEncoder(
        device: self,
        workspace: plan.workspaces[index].map { place($0, TensorType([size / 4])) })
      try operation.encode(node.inputs.map(view), node.outputs.map(view), in: encoder)
      return encoder
    }
  }
}

extension OpenCLDevice: PlanDescribing {
  package func describe(_ plan: Plan) throws -> [NodeDescription] {
    // Nothing is run: any address will do.
    let nowhere = OpaquePointer(bitPattern: 64)!
    let encoders = try encoders(of: plan) { location, type in
      View(memory: nowhere, offset: location.offset / type.dataType.byteCount, type: type)
    }
    var programs: [KernelBuild: String] = [:]
    let all = ProgramSource.all(of: encoders.flatMap(\.requests).map(KernelBuild.init))
    for (number, program) in all.enumerated() {
      for kernel in program.kernels { programs[kernel] = "\(program.file) \(number + 1)" }
    }
    return zip(plan.order, encoders).map { index, encoder in
      let node = plan.graph.nodes[index]
      return NodeDescription(
        name: node.label, operation: node.operation.name, implementation: encoder.name,
        cost: plan.graph.cost(of: node), launches: encoder.pending.map { $0.description(programs) })
    }
  }

  /// The kernels built so far.
  package var builds: [KernelBuild] { programs.builds }
}

extension PendingLaunch {
  /// - Parameter programs: the name of the program that has a kernel.
  fileprivate func description(_ programs: [KernelBuild: String]) -> NodeDescription.Launch {
    switch kind {
    case .ready: .init(name: "copy")
    case .library(let name, _): .init(name: name)
    case .kernel(let request):
      .init(
        name: request.name, file: request.file,
        source: KernelSource.generatedText(request.file), defines: request.defines,
        program: programs[KernelBuild(request)],
        groups: request.range.groups, groupSize: request.range.localSize)
    }
  }
}
