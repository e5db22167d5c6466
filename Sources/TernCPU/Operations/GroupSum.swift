import TernGraph

extension Operations.GroupSum: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let (count, exchange) = (node.inputs[0].elementCount, exchange)
    return Lowering { addresses in
      let (x, y) = (addresses.input(0), addresses.output(0))
      return {
        y.update(from: x, count: count)
        try exchange.sum(UnsafeMutableBufferPointer(start: y, count: count))
      }
    }
  }
}
