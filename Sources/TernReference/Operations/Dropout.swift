import TernCore
import TernGraph

extension Operations.Dropout: ReferenceOperation {
  /// x, step [] → y
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, step, y) = (inputs[0], inputs[1], outputs[0])
    let generator = Philox(key: (key0, key1))
    let (probability, stream) = (probability, stream)
    let scale = 1 / (1 - Double(probability))
    return {
      let step = UInt32(truncatingIfNeeded: step.integer(0))
      for i in 0..<y.count {
        let words = generator.words(block: UInt64(i / 4), step, stream)
        let word =
          switch i % 4 {
          case 0: words.0
          case 1: words.1
          case 2: words.2
          default: words.3
          }
        y[i] = Philox.uniform(word) >= probability ? scale * x[i] : 0
      }
    }
  }
}
