import TernCore
import TernGraph

extension Binary: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let defines = ["FUNCTION": function.rawValue]
    let operands: [Argument] = [.tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(y[0].count)]
    if x[0].shape == x[1].shape {
      try encoder.map(
        "binary_same", in: "elementwise/binary", count: y[0].count, operands, defines: defines)
      return
    }
    let loop = try StridedLoop(
      y[0].shape,
      strides: x.map { $0.shape.broadcastStrides(to: y[0].shape) }, operation: name)
    try encoder.map(
      "binary_broadcast", in: "elementwise/binary", count: y[0].count,
      operands + [.ints(loop.extents), .ints(loop.strides[0]), .ints(loop.strides[1])],
      defines: defines)
  }
}
