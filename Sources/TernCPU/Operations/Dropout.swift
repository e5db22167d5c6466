import TernCore
import TernGraph

extension Dropout: CPUOperation {
  func lower(_ node: Signature, _ context: CPUContext) throws -> Lowering {
    let count = node.inputs[0].elementCount
    let philox = Philox(key: (key0, key1))
    let scale = 1 / (1 - probability)
    return Lowering { addresses in
      let (x, step, y) = (addresses.input(0), addresses.integerInput(1), addresses.output(0))
      // A block of random words serves four elements; drawing it costs as much as moving dozens.
      return context.threads.loop((count + 3) / 4, grain: 256) { blocks in
        let step = UInt32(bitPattern: step[0])
        for block in blocks {
          let words = philox.words(block: UInt64(block), step, stream)
          let start = block &* 4
          func keep(_ word: UInt32, _ i: Int) {
            y[i] = Philox.uniform(word) >= probability ? x[i] * scale : 0
          }
          keep(words.0, start)
          if start &+ 1 < count { keep(words.1, start &+ 1) }
          if start &+ 2 < count { keep(words.2, start &+ 2) }
          if start &+ 3 < count { keep(words.3, start &+ 3) }
        }
      }
    }
  }
}
