import TernCore
import TernGraph

extension Operations.Embedding: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[0].elementCount
    let (rows, length) = (node.inputs[1].shape[0], node.inputs[1].shape[1])
    return Lowering { addresses in
      let (indices, weight) = (addresses.integerInput(0), addresses.input(1))
      let y = addresses.output(0)
      let check = indices.rangeCheck("embedding", count, below: rows)
      let copy = context.threads.loop(count, grain: max(1, Threads.elementwiseGrain / length)) {
        for i in $0 {
          (y + i * length).update(from: weight + Int(indices[i]) * length, count: length)
        }
      }
      return {
        try check()
        try copy()
      }
    }
  }
}

extension Operations.EmbeddingBackward: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[1].elementCount
    let length = node.outputs[0].shape[1]
    return Lowering { addresses in
      let (dy, indices) = (addresses.input(0), addresses.integerInput(1))
      let dw = addresses.output(0)
      let check = indices.rangeCheck("embedding_backward", count, below: rowCount)
      // Threads share the columns, not the indices, so that every row is summed in one order.
      let grain = max(16, Threads.elementwiseGrain / max(count, rowCount))
      let sum = context.threads.loop(length, grain: grain, alignment: 16) { columns in
        for row in 0..<rowCount {
          (dw + row * length + columns.lowerBound).update(repeating: 0, count: columns.count)
        }
        for i in 0..<count {
          let (source, target) = (dy + i * length, dw + Int(indices[i]) * length)
          forEachLanes(in: columns) { lanes in
            lanes.store(lanes.load(target) + lanes.load(source), target)
          }
        }
      }
      return {
        try check()
        try sum()
      }
    }
  }
}
