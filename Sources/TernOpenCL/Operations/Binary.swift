import TernCore
import TernGraph

extension Operations.Binary: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

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
    // An operand that is repeated along the innermost axis is read element by element.
    let apart = loop.distances(where: { loop.innerStrides[$0] == 1 })
    let vectors = encoder.rowVectors(loop.inner, operands, apart: apart)
    let across = (loop.inner + vectors.width - 1) / vectors.width
    try encoder.map(
      "binary_broadcast", in: "elementwise/binary", count: loop.rows * across,
      operands + [.int(loop.rows * across), .int(loop.inner), .divisor(across)] + loop.arguments,
      defines: vectors.defines.merging([
        "AXES": loop.axes, "A_STEP": loop.innerStrides[0], "B_STEP": loop.innerStrides[1],
      ]) { $1 }, function: function.rawValue)
  }
}
