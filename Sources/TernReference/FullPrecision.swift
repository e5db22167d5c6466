import TernRuntime

extension Executable {
  /// Runs one step on inputs in full precision and returns every output in full precision: what a
  /// comparison with finite differences needs.
  ///
  /// - Parameter inputs: the elements of every input, row by row; of int32 inputs too.
  /// - Precondition: compiled for a ``ReferenceDevice`` that does not round; every input is
  ///   given, with as many elements as its shape has.
  package func runInFullPrecision(_ inputs: [String: [Double]]) throws -> [String: [Double]] {
    guard let bound = bound as? ReferenceBoundPlan else {
      preconditionFailure("full precision needs the reference device")
    }
    for id in plan.graph.inputs {
      let name = plan.graph[id].name
      guard let values = inputs[name] else { preconditionFailure("input \(name) is missing") }
      bound.view(id).store(values)
    }
    try bound.replay()
    return Dictionary(
      plan.graph.outputs.map { ($0.name, bound.view($0.id).doubles) }
    ) { first, _ in first }
  }
}

extension View {
  fileprivate func store(_ values: [Double]) {
    precondition(values.count == count, "\(values.count) values for \(type)")
    for i in 0..<count { self[i] = values[i] }
  }
}
