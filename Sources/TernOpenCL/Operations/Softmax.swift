import TernGraph

extension View {
  /// The shape as [outer, length, inner] around an axis.
  fileprivate func around(_ axis: Int) -> (outer: Int, length: Int, inner: Int) {
    guard shape.rank > 0 else { return (1, 1, 1) }
    return (
      shape.elementCount(in: 0..<axis), shape[axis],
      shape.elementCount(in: axis + 1..<shape.rank)
    )
  }
}

extension Operations.Softmax: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (outer, length, inner) = x[0].around(axis)
    let defines = ["LOGARITHMIC": isLogarithmic ? 1 : 0]
    if inner == 1 {
      try encoder.rows(
        "softmax_rows", in: "normalization/softmax", count: outer, length: length,
        [.tensor(x[0]), .tensor(y[0]), .int(outer), .int(length), encoder.rowScratch],
        defines: defines)
    } else {
      try encoder.map(
        "softmax_items", in: "normalization/softmax", count: outer * inner,
        [.tensor(x[0]), .tensor(y[0]), .int(outer * inner), .int(length), .divisor(inner)],
        defines: defines)
    }
  }
}

extension Operations.SoftmaxBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (outer, length, inner) = x[0].around(axis)
    let defines = ["LOGARITHMIC": isLogarithmic ? 1 : 0]
    let tensors: [Argument] = [.tensor(x[0]), .tensor(x[1]), .tensor(y[0])]
    if inner == 1 {
      try encoder.rows(
        "softmax_backward_rows", in: "normalization/softmax", count: outer, length: length,
        tensors + [.int(outer), .int(length), encoder.rowScratch], defines: defines)
    } else {
      try encoder.map(
        "softmax_backward_items", in: "normalization/softmax", count: outer * inner,
        tensors + [.int(outer * inner), .int(length), .divisor(inner)], defines: defines)
    }
  }
}
