import TernGraph

extension View {
  /// The shape as [N, C, L].
  fileprivate var channels: (batch: Int, channels: Int, length: Int) {
    (shape[0], shape[1], shape.elementCount(in: 2..<shape.rank))
  }
}

extension BatchNorm: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (batch, channels, length) = x[0].channels
    try encoder.rows(
      "batch_statistics", in: "normalization/batch_norm", count: channels,
      [
        .tensor(x[0]), .tensor(y[1]), .tensor(y[2]), .int(batch), .int(channels), .int(length),
        .localFloats(StepEncoder.localSize),
      ])
    try encoder.map(
      "batch_normalize", in: "normalization/batch_norm", count: y[0].count,
      (x + [y[1], y[2], y[0]]).map(Argument.tensor)
        + [.int(y[0].count), .int(channels), .int(length), .float(epsilon)])
  }
}

extension BatchNormBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (dy, input, mean, variance, weight) = (x[0], x[1], x[2], x[3], x[4])
    let (batch, channels, length) = input.channels
    try encoder.rows(
      "batch_norm_backward_sums", in: "normalization/batch_norm", count: channels,
      [dy, input, mean, variance, y[1], y[2]].map(Argument.tensor)
        + [
          .int(batch), .int(channels), .int(length), .float(epsilon),
          .localFloats(StepEncoder.localSize),
        ])
    try encoder.map(
      "batch_norm_backward_input", in: "normalization/batch_norm", count: y[0].count,
      [dy, input, mean, variance, weight, y[1], y[2], y[0]].map(Argument.tensor)
        + [
          .int(y[0].count), .int(channels), .int(length), .int(batch * length), .float(epsilon),
        ])
  }
}

extension NormalizeRows: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.rows(
      "normalize_rows", in: "normalization/normalize_rows", count: x[0].shape[0],
      (x + y).map(Argument.tensor)
        + [.int(x[0].shape[1]), .float(epsilon), .localFloats(StepEncoder.localSize)])
  }
}

extension NormalizeRowsBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.rows(
      "normalize_rows_backward", in: "normalization/normalize_rows", count: x[0].shape[0],
      (x + y).map(Argument.tensor)
        + [.int(x[0].shape[1]), .localFloats(StepEncoder.localSize)])
  }
}
