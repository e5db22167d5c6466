import TernCore
import TernGraph

extension Operations.NLLLoss: ReferenceOperation {
  /// x [N, C, *], target [N, *], weight [C] → loss [] or [N, *], weight sum []
  ///
  /// The loss of one target t is −(1 − ε) · weight[t] · x[t] − ε/C · Σ weight[c] · x[c]; the mean
  /// divides the sum of all by the sum of weight[t], and is 0 where that is 0: what counts nothing adds
  /// nothing, whatever its score.
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, target) = (inputs[0], inputs[1])
    let weight = inputs.count == 3 ? inputs[2] : nil
    let (loss, weightSum) = (outputs[0], outputs[1])
    let (_, classes, area) = x.split(at: 1)
    let (reduction, ignored) = (reduction, Int(ignoreIndex))
    let smoothing = Double(labelSmoothing)
    return {
      loss.fill(0)
      weightSum[0] = 0
      for position in 0..<target.count where target.integer(position) != ignored {
        let t = try target.integer(position, below: classes, "target")
        let first = position / area * classes * area + position % area
        func term(_ c: Int) -> Double {
          let weight = weight?[c] ?? 1
          return weight == 0 ? 0 : weight * x[first + c * area]
        }
        var value = -(1 - smoothing) * term(t)
        // Without smoothing a class of log-probability −∞ must not matter.
        if smoothing > 0 {
          for c in 0..<classes { value -= smoothing / Double(classes) * term(c) }
        }
        loss[reduction == .none ? position : 0] += value
        weightSum[0] += weight?[t] ?? 1
      }
      if reduction == .mean { loss[0] = weightSum[0] == 0 ? 0 : loss[0] / weightSum[0] }
    }
  }
}

extension Operations.NLLLossBackward: ReferenceOperation {
  /// dloss [] or [N, *], target [N, *], weight sum [], weight [C] → dx [N, C, *]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dloss, target, weightSum, dx) = (inputs[0], inputs[1], inputs[2], outputs[0])
    let weight = inputs.count == 4 ? inputs[3] : nil
    let (_, classes, area) = dx.split(at: 1)
    let (reduction, ignored) = (forward.reduction, Int(forward.ignoreIndex))
    let smoothing = Double(forward.labelSmoothing)
    return {
      dx.fill(0)
      for position in 0..<target.count where target.integer(position) != ignored {
        let t = try target.integer(position, below: classes, "target")
        let first = position / area * classes * area + position % area
        var arriving = dloss[reduction == .none ? position : 0]
        if reduction == .mean { arriving = weightSum[0] == 0 ? 0 : arriving / weightSum[0] }
        for c in 0..<classes {
          let share = (c == t ? 1 - smoothing : 0) + smoothing / Double(classes)
          dx[first + c * area] = -arriving * (weight?[c] ?? 1) * share
        }
      }
    }
  }
}
