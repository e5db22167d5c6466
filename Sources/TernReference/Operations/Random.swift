import Foundation
import TernCore
import TernGraph

extension Operations.RandomNormal: ReferenceOperation {
  /// step [] → y
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (step, y) = (inputs[0], outputs[0])
    let generator = Philox(key: (key0, key1))
    let stream = stream
    return {
      let step = UInt32(truncatingIfNeeded: step.integer(0))
      for i in 0..<y.count {
        let words = generator.words(block: UInt64(i / 4), step, stream)
        let (first, second) = i % 4 < 2 ? (words.0, words.1) : (words.2, words.3)
        let a = Double(Operations.RandomNormal.unitInterval(first)) + 0x1p-24
        let angle = 2 * Double.pi * Double(Operations.RandomNormal.unitInterval(second))
        y[i] = (-2 * log(a)).squareRoot() * (i % 2 == 0 ? cos(angle) : sin(angle))
      }
    }
  }
}

extension Operations.Bernoulli: ReferenceOperation {
  /// p, step [] → y
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (p, step, y) = (inputs[0], inputs[1], outputs[0])
    let generator = Philox(key: (key0, key1))
    let stream = stream
    return {
      let step = UInt32(truncatingIfNeeded: step.integer(0))
      for i in 0..<y.count {
        let words = generator.words(block: UInt64(i / 4), step, stream)
        let word = [words.0, words.1, words.2, words.3][i % 4]
        y[i] = Double(Philox.uniform(word)) < p[i] ? 1 : 0
      }
    }
  }
}
