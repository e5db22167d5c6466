import TernGraph

extension Operations.GroupSum: ReferenceOperation {
  /// Members exchange float32, whatever they compute with.
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    var values = [Float](repeating: 0, count: inputs[0].count)
    let exchange = exchange
    return {
      for i in values.indices { values[i] = Float(inputs[0][i]) }
      try values.withUnsafeMutableBufferPointer { try exchange.sum($0) }
      for i in values.indices { outputs[0][i] = Double(values[i]) }
    }
  }
}
