import Foundation
import TernCore
import TernGraph

extension Operations.RandomNormal: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.outputs[0].elementCount
    let philox = Philox(key: (key0, key1))
    return Lowering { addresses in
      let (step, y) = (addresses.integerInput(0), addresses.output(0))
      return context.threads.loop((count + 3) / 4, grain: 64) { blocks in
        let step = UInt32(bitPattern: step[0])
        for block in blocks {
          let words = philox.words(block: UInt64(block), step, stream)
          func draw(_ first: UInt32, _ second: UInt32, _ i: Int) {
            let radius = (-2 * log(Operations.RandomNormal.unitInterval(first) + 0x1p-24))
              .squareRoot()
            let angle = 2 * Float.pi * Operations.RandomNormal.unitInterval(second)
            if i < count { y[i] = radius * cos(angle) }
            if i &+ 1 < count { y[i &+ 1] = radius * sin(angle) }
          }
          draw(words.0, words.1, block &* 4)
          draw(words.2, words.3, block &* 4 &+ 2)
        }
      }
    }
  }
}

extension Operations.Bernoulli: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[0].elementCount
    let philox = Philox(key: (key0, key1))
    return Lowering { addresses in
      let (p, step, y) = (addresses.input(0), addresses.integerInput(1), addresses.output(0))
      return context.threads.random(
        count, philox, { UInt32(bitPattern: step[0]) }, stream
      ) { lanes, uniforms in
        let ones = Vector(repeating: 1)
        lanes.store(Vector(repeating: 0).replacing(with: ones, where: uniforms .< lanes.load(p)), y)
      }
    }
  }
}
