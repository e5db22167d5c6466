import TernCore
import TernGraph

/// Outputs of a plan that reach the host one by one while a step goes on. Made once for a plan; what each step
/// writes takes the place of what the step before wrote.
public protocol StreamedOutputs: AnyObject, Sendable {
  /// Waits until an output of the step under way is there; any thread may, once a step.
  ///
  /// - Parameter index: its place among the outputs, of which the device has said that it is started.
  /// - Returns: its bytes, which hold until the next step of any graph of the session.
  func bytes(_ index: Int) throws -> UnsafeRawBufferPointer
}

/// Outputs that are copied behind a step, for devices that do not tell how far one has come.
final class CopiedOutputs: StreamedOutputs, @unchecked Sendable {
  let ids: [ValueID]
  private let memory: [UnsafeMutableRawBufferPointer]

  init(_ ids: [ValueID], of graph: Graph) {
    self.ids = ids
    memory = ids.map { .allocate(byteCount: graph.type($0).byteCount, alignment: 64) }
  }

  deinit { for buffer in memory { buffer.deallocate() } }

  func write(_ value: HostTensor, to index: Int) {
    value.withUnsafeBytes { memory[index].copyMemory(from: $0) }
  }

  func bytes(_ index: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory[index]) }
}

extension BoundPlan {
  public func stream(_ ids: [ValueID], of graph: Graph) throws -> any StreamedOutputs {
    CopiedOutputs(ids, of: graph)
  }

  public func replay(
    streaming outputs: any StreamedOutputs, _ started: (_ index: Int) throws -> Void
  ) throws {
    guard let outputs = outputs as? CopiedOutputs else {
      preconditionFailure("outputs of another device")
    }
    try replay()
    for (index, id) in outputs.ids.enumerated() {
      outputs.write(try startReading(id).wait(), to: index)
      try started(index)
    }
  }

  public func hostMemory(ofInput index: Int) -> UnsafeMutableRawBufferPointer? { nil }
}

extension Executable {
  /// Prepares to read outputs while a step goes on, each as soon as it is computed.
  ///
  /// - Throws: ``TernError`` of kind `runtime` where there is no output of a name.
  package func stream(_ outputs: [String]) throws -> any StreamedOutputs {
    try bound.stream(
      outputs.map { name in
        guard let id = plan.graph.output(named: name) else {
          throw TernError(.runtime, "no output is named \(name)")
        }
        return id
      }, of: plan.graph)
  }

  /// Starts one step.
  ///
  /// - Parameter started: called on this thread with the place of an output as soon as everything has been started
  ///   that it depends on; ``StreamedOutputs/bytes(_:)`` may then be called.
  package func step(
    streaming outputs: any StreamedOutputs, _ started: (_ index: Int) throws -> Void
  ) throws {
    try bound.replay(streaming: outputs, started)
  }

  /// Where in the host's memory a step finds an input, for devices that read it there: who writes there hands it
  /// over without a copy. `nil` for others.
  package func hostMemory(ofInput index: Int) -> UnsafeMutableRawBufferPointer? {
    bound.hostMemory(ofInput: index)
  }
}

extension Plan {
  /// The place in ``order`` of the node that computes a value; 0 for one that no node computes.
  package func place(of id: ValueID) -> Int {
    guard case .node(let index, _) = graph[graph.root(of: id)].source else { return 0 }
    return order.firstIndex(of: index) ?? 0
  }
}
