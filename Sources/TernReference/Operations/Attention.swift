import Foundation
import TernGraph

extension Operations.Attention: ReferenceOperation {
  /// q [B, L, E], k [B, S, E], v [B, S, V] → y [B, L, V], logNormalizer [B, L]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (v, y, logNormalizer) = (inputs[2], outputs[0], outputs[1])
    let scores = AttentionScores(inputs[0], inputs[1], scale: scale, isCausal: isCausal)
    let width = v.shape[2]
    return {
      y.fill(0)
      for row in 0..<scores.rowCount {
        var maximum = -Double.infinity
        for j in scores.visibleKeys(row) { maximum = max(maximum, scores[row, j]) }
        var sum = 0.0
        for j in scores.visibleKeys(row) { sum += exp(scores[row, j] - maximum) }
        logNormalizer[row] = maximum + log(sum)
        for j in scores.visibleKeys(row) {
          let weight = exp(scores[row, j] - maximum) / sum
          let key = scores.key(row, j)
          for e in 0..<width { y[row * width + e] += weight * v[key * width + e] }
        }
      }
    }
  }
}

extension Operations.AttentionBackward: ReferenceOperation {
  /// dy [B, L, V], q [B, L, E], k [B, S, E], v [B, S, V], y [B, L, V], logNormalizer [B, L]
  /// → dq [B, L, E], dk [B, S, E], dv [B, S, V]
  ///
  /// With P the weights: dv = Pᵀ dy, and the gradient of a score s is
  /// ds = P · (dy·v − dy·y), of which dq = scale · ds k and dk = scale · dsᵀ q.
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, q, k, v, y, logNormalizer) = (
      inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], inputs[5]
    )
    let (dq, dk, dv) = (outputs[0], outputs[1], outputs[2])
    let scores = AttentionScores(q, k, scale: scale, isCausal: isCausal)
    let (depth, width) = (q.shape[2], v.shape[2])
    let scale = Double(scale)
    return {
      dq.fill(0)
      dk.fill(0)
      dv.fill(0)
      for row in 0..<scores.rowCount {
        var dyDotY = 0.0
        for e in 0..<width { dyDotY += dy[row * width + e] * y[row * width + e] }
        for j in scores.visibleKeys(row) {
          let key = scores.key(row, j)
          let weight = exp(scores[row, j] - logNormalizer[row])
          var dyDotV = 0.0
          for e in 0..<width {
            dyDotV += dy[row * width + e] * v[key * width + e]
            dv[key * width + e] += weight * dy[row * width + e]
          }
          let dscore = scale * weight * (dyDotV - dyDotY)
          for e in 0..<depth {
            dq[row * depth + e] += dscore * k[key * depth + e]
            dk[key * depth + e] += dscore * q[row * depth + e]
          }
        }
      }
    }
  }
}

/// scale · Q Kᵀ, computed where it is read. Rows number the queries of all batches, [B · L].
private struct AttentionScores {
  private let q: View
  private let k: View
  private let queryCount: Int
  private let keyCount: Int
  private let depth: Int
  private let scale: Double
  private let isCausal: Bool

  init(_ q: View, _ k: View, scale: Float, isCausal: Bool) {
    self.q = q
    self.k = k
    (queryCount, keyCount, depth) = (q.shape[1], k.shape[1], q.shape[2])
    self.scale = Double(scale)
    self.isCausal = isCausal
  }

  var rowCount: Int { q.shape[0] * queryCount }

  /// The keys that a query sees, counted within its batch.
  func visibleKeys(_ row: Int) -> Range<Int> {
    0..<(isCausal ? min(keyCount, row % queryCount + 1) : keyCount)
  }

  /// Key j of the query's batch, counted over all batches: [B · S].
  func key(_ row: Int, _ j: Int) -> Int { row / queryCount * keyCount + j }

  subscript(row: Int, j: Int) -> Double {
    var sum = 0.0
    for e in 0..<depth { sum += q[row * depth + e] * k[key(row, j) * depth + e] }
    return scale * sum
  }
}
