import TernCore
import TernGraph

extension Operations.Dropout: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[0].elementCount
    let philox = Philox(key: (key0, key1))
    let scale = 1 / (1 - probability)
    return Lowering { addresses in
      let (x, step, y) = (addresses.input(0), addresses.integerInput(1), addresses.output(0))
      return context.threads.random(
        count, philox, { UInt32(bitPattern: step[0]) }, stream
      ) { [probability] lanes, uniforms in
        lanes.store((lanes.load(x) * scale).replacing(with: 0, where: uniforms .< probability), y)
      }
    }
  }
}
