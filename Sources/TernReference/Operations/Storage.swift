import TernGraph

extension Operations.Assign: ReferenceOperation {
  /// variable, value → the variable, which stands where it did
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    { outputs[0].copy(from: inputs[1]) }
  }
}

extension Operations.Reorder: ReferenceOperation {
  /// A copy: the reference backend stores everything densely.
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    { outputs[0].copy(from: inputs[0]) }
  }
}
