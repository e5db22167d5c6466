import TernGraph

extension Operations.Assign: ReferenceOperation {
  /// variable, value → the variable, which stands where it did
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    { outputs[0].copy(from: inputs[1]) }
  }
}

extension Operations.Cast: ReferenceOperation {
  /// A copy, of which integers keep the whole part; floating-point results are rounded after every kernel.
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    {
      outputs[0].copy(from: inputs[0])
      if !outputs[0].type.dataType.isFloat { outputs[0].round() }
    }
  }
}

extension Operations.Reorder: ReferenceOperation {
  /// A copy: the reference backend stores everything densely.
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    { outputs[0].copy(from: inputs[0]) }
  }
}
