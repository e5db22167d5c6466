import TernGraph

extension Operations.Binary: ReferenceOperation {
  /// a, b → y, all seen in y's shape
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    let (a, b, y) = (inputs[0], inputs[1], outputs[0])
    let aIndex = StridedIndex(y.shape, broadcasting: a.shape)
    let bIndex = StridedIndex(y.shape, broadcasting: b.shape)
    let f = value
    return {
      for i in 0..<y.count { y[i] = f(a[aIndex[i]], b[bIndex[i]]) }
    }
  }

  private var value: (Double, Double) -> Double {
    switch function {
    case .add: { a, b in a + b }
    case .sub: { a, b in a - b }
    case .mul: { a, b in a * b }
    case .div: { a, b in a / b }
    // NaN on either side gives NaN: a comparison with it is false, which leaves b.
    case .maximum: { a, b in a > b || a.isNaN ? a : b }
    case .minimum: { a, b in a < b || a.isNaN ? a : b }
    case .heaviside: { a, b in a > b ? 1 : (a == b ? 0.5 : 0) }
    case .equal: { a, b in a == b ? 1 : 0 }
    }
  }
}
