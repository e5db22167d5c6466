import TernGraph

extension Operations.BatchNorm: ReferenceOperation {
  /// x [N, C, *], weight [C], bias [C] → y [N, C, *], mean [C], variance [C]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, weight, bias) = (inputs[0], inputs[1], inputs[2])
    let (y, mean, variance) = (outputs[0], outputs[1], outputs[2])
    let (batch, channels, area) = x.split(at: 1)
    let count = Double(batch * area)
    let epsilon = Double(epsilon)
    return {
      mean.fill(0)
      variance.fill(0)
      for i in 0..<x.count { mean[i / area % channels] += x[i] / count }
      for i in 0..<x.count {
        let c = i / area % channels
        variance[c] += (x[i] - mean[c]) * (x[i] - mean[c]) / count
      }
      for i in 0..<x.count {
        let c = i / area % channels
        let normalized = (x[i] - mean[c]) / (variance[c] + epsilon).squareRoot()
        y[i] = weight[c] * normalized + bias[c]
      }
    }
  }
}

extension Operations.BatchNormBackward: ReferenceOperation {
  /// dy, x [N, C, *], mean, variance, weight [C] → dx [N, C, *], dweight [C], dbias [C]
  ///
  /// With x̂ the normalised input and M the elements per channel,
  /// dbias = Σ dy, dweight = Σ dy·x̂, dx = weight/√(variance + ε) · (dy − dbias/M − x̂ · dweight/M).
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, x, mean, variance, weight) = (inputs[0], inputs[1], inputs[2], inputs[3], inputs[4])
    let (dx, dweight, dbias) = (outputs[0], outputs[1], outputs[2])
    let (batch, channels, area) = x.split(at: 1)
    let count = Double(batch * area)
    let epsilon = Double(epsilon)
    return {
      dweight.fill(0)
      dbias.fill(0)
      for i in 0..<x.count {
        let c = i / area % channels
        dweight[c] += dy[i] * (x[i] - mean[c]) / (variance[c] + epsilon).squareRoot()
        dbias[c] += dy[i]
      }
      for i in 0..<x.count {
        let c = i / area % channels
        let deviation = (variance[c] + epsilon).squareRoot()
        let normalized = (x[i] - mean[c]) / deviation
        dx[i] =
          weight[c] / deviation * (dy[i] - dbias[c] / count - normalized * dweight[c] / count)
      }
    }
  }
}

extension Operations.NormalizeRows: ReferenceOperation {
  /// x [R, K] → y [R, K], mean [R], rstd [R]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let x = inputs[0]
    let (y, mean, rstd) = (outputs[0], outputs[1], outputs[2])
    let (rows, columns) = (x.shape[0], x.shape[1])
    let count = Double(columns)
    let epsilon = Double(epsilon)
    return {
      for row in 0..<rows {
        let elements = row * columns..<(row + 1) * columns
        var sum = 0.0
        for i in elements { sum += x[i] }
        mean[row] = sum / count
        var squares = 0.0
        for i in elements { squares += (x[i] - mean[row]) * (x[i] - mean[row]) }
        rstd[row] = 1 / (squares / count + epsilon).squareRoot()
        for i in elements { y[i] = (x[i] - mean[row]) * rstd[row] }
      }
    }
  }
}

extension Operations.NormalizeRowsBackward: ReferenceOperation {
  /// dy, y [R, K], rstd [R] → dx [R, K]
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (dy, y, rstd, dx) = (inputs[0], inputs[1], inputs[2], outputs[0])
    let (rows, columns) = (y.shape[0], y.shape[1])
    let count = Double(columns)
    return {
      for row in 0..<rows {
        let elements = row * columns..<(row + 1) * columns
        var sum = 0.0
        var product = 0.0
        for i in elements {
          sum += dy[i]
          product += dy[i] * y[i]
        }
        for i in elements { dx[i] = rstd[row] * (dy[i] - sum / count - y[i] * product / count) }
      }
    }
  }
}
