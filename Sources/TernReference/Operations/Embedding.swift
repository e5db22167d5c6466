import TernGraph

extension Operations.Embedding: ReferenceOperation {
  /// indices [*], weight [V, E] → y [*, E]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (indices, weight, y) = (inputs[0], inputs[1], outputs[0])
    let (rows, columns) = (weight.shape[0], weight.shape[1])
    return {
      for i in 0..<indices.count {
        let row = try indices.integer(i, below: rows, "input")
        for e in 0..<columns { y[i * columns + e] = weight[row * columns + e] }
      }
    }
  }
}

extension Operations.EmbeddingBackward: ReferenceOperation {
  /// dy [*, E], indices [*] → dweight [V, E]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, indices, dweight) = (inputs[0], inputs[1], outputs[0])
    let (rows, columns) = (dweight.shape[0], dweight.shape[1])
    return {
      dweight.fill(0)
      for i in 0..<indices.count {
        let row = try indices.integer(i, below: rows, "input")
        for e in 0..<columns { dweight[row * columns + e] += dy[i * columns + e] }
      }
    }
  }
}
