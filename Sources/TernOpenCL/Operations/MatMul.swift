import TernGraph

extension MatMul: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let d = dimensions(x[0].shape, x[1].shape)
    encoder.append(
      try GemmLaunch(
        .init(view: x[0], isTransposed: transposesA, rowLength: x[0].shape.last!),
        .init(view: x[1], isTransposed: transposesB, rowLength: x[1].shape.last!), into: y[0],
        size: (d.batch, d.m, d.n, d.k), device: encoder.device))
  }
}

extension Linear: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (rows, outputs) = (y[0].shape[0], y[0].shape[1])
    if x.count == 3 {
      // The bias first; the product is added to it.
      try encoder.stridedCopy(
        y[0].shape, from: x[2], strides: [0, 1], to: y[0], strides: [outputs, 1], operation: name)
    }
    let inputs = x[0].shape[1]
    encoder.append(
      try GemmLaunch(
        .init(view: x[0], isTransposed: false, rowLength: inputs),
        .init(view: x[1], isTransposed: true, rowLength: inputs), into: y[0],
        size: (1, rows, outputs, inputs), beta: x.count == 3 ? 1 : 0, device: encoder.device))
  }
}
