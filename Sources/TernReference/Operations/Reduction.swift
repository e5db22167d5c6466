import TernGraph

extension Operations.Reduce: ReferenceOperation {
  /// x → y; every element of x goes to the element of y that it is reduced to
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y) = (inputs[0], outputs[0])
    var kept = x.shape
    for axis in axes { kept[axis] = 1 }
    let target = StridedIndex(x.shape, broadcasting: kept)
    let reducedCount = Double(x.count / y.count)
    switch function {
    case .sum, .mean:
      let divisor = function == .mean ? reducedCount : 1
      return {
        y.fill(0)
        for i in 0..<x.count { y[target[i]] += x[i] }
        for i in 0..<y.count { y[i] /= divisor }
      }
    case .amax:
      return {
        y.fill(-.infinity)
        for i in 0..<x.count where x[i] > y[target[i]] || x[i].isNaN { y[target[i]] = x[i] }
      }
    }
  }
}

extension Operations.Expand: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (x, y) = (inputs[0], outputs[0])
    let source = StridedIndex(y.shape, broadcasting: x.shape)
    return {
      for i in 0..<y.count { y[i] = x[source[i]] }
    }
  }
}
