import TernGraph

extension Operations.MatMul: ReferenceOperation {
  /// a [B, M, K], b [B, K, N] → y [B, M, N]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (a, b, y) = (inputs[0], inputs[1], outputs[0])
    let d = dimensions(a.shape, b.shape)
    // The distances between neighbours along m, n and k; transposing swaps them.
    let (aM, aK) = transposesA ? (1, d.m) : (d.k, 1)
    let (bK, bN) = transposesB ? (1, d.k) : (d.n, 1)
    return {
      for batch in 0..<d.batch {
        for m in 0..<d.m {
          for n in 0..<d.n {
            var sum = 0.0
            for k in 0..<d.k {
              sum +=
                a[batch * d.m * d.k + m * aM + k * aK] * b[batch * d.k * d.n + k * bK + n * bN]
            }
            y[(batch * d.m + m) * d.n + n] = sum
          }
        }
      }
    }
  }
}

extension Operations.Linear: ReferenceOperation {
  /// x [N, I], w [O, I], b [O] → y [N, O]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, w, y) = (inputs[0], inputs[1], outputs[0])
    let b = inputs.count == 3 ? inputs[2] : nil
    let (rows, inFeatures, outFeatures) = (x.shape[0], x.shape[1], w.shape[0])
    return {
      for n in 0..<rows {
        for o in 0..<outFeatures {
          var sum = b?[o] ?? 0
          for i in 0..<inFeatures { sum += x[n * inFeatures + i] * w[o * inFeatures + i] }
          y[n * outFeatures + o] = sum
        }
      }
    }
  }
}
