import TernCore
import TernGraph

extension Binary: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let operands: [Argument] = [.tensor(x[0]), .tensor(x[1]), .tensor(y[0])]
    if x[0].shape == x[1].shape {
      try encoder.elements(
        "binary_same", in: "elementwise/binary", count: y[0].count, operands + [.int(y[0].count)],
        function: function.rawValue)
      return
    }
    let loop = try StridedLoop(
      y[0].shape, strides: x.map { $0.shape.broadcastStrides(to: y[0].shape) }, operation: name)
    let width = encoder.architecture.vectorWidth(upTo: loop.inner)
    try encoder.map(
      "binary_broadcast", in: "elementwise/binary",
      count: loop.rows * ((loop.inner + width - 1) / width),
      operands + [.int(loop.rows), .int(loop.inner)] + loop.arguments,
      defines: [
        "V": width, "AXES": loop.axes, "A_STEP": loop.innerStrides[0],
        "B_STEP": loop.innerStrides[1],
      ], function: function.rawValue)
  }
}
