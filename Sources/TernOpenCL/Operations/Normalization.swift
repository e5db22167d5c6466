import TernCore
import TernGraph

extension View {
  /// The shape as [N, C, L].
  fileprivate var channels: (batch: Int, channels: Int, length: Int) {
    (shape[0], shape[1], shape.elementCount(in: 2..<shape.rank))
  }
}

extension StepEncoder {
  /// The parts of the batch whose sums are taken apart, so that few channels keep a device busy.
  fileprivate static func parts(_ x: TensorType, on device: OpenCLDevice) -> Int {
    let channels = x.shape[1] * device.rowGroup
    return max(1, min(x.shape[0], device.busyItemCount / channels, x.elementCount / 16_384))
  }

  /// Appends a kernel over all elements of [N, C, L], as rows of L.
  fileprivate func channelRows(
    _ name: String, _ tensors: [View], like x: View, _ tail: [Argument]
  ) throws {
    let (batch, channels, length) = x.channels
    let width = architecture.vectorWidth(upTo: length)
    try map(
      name, in: "normalization/batch_norm",
      count: batch * channels * ((length + width - 1) / width),
      tensors.map(Argument.tensor)
        + [.int(batch * channels), .int(channels), .int(length)] + tail, defines: ["V": width])
  }
}

extension BatchNorm: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    let parts = StepEncoder.parts(inputs[0], on: device)
    return parts == 1 ? 0 : 4 * 2 * parts * outputs[1].elementCount
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (batch, channels, length) = x[0].channels
    let parts = StepEncoder.parts(x[0].type, on: encoder.device)
    let sizes: [Argument] = [.int(batch), .int(channels), .int(length), .int(parts)]
    let count = parts * channels
    let (mean, variance) =
      parts == 1
      ? (y[1], y[2]) : (encoder.scratch(0, count: count), encoder.scratch(count, count: count))
    try encoder.rows(
      "batch_statistics", in: "normalization/batch_norm", count: count,
      [.tensor(x[0]), .tensor(mean), .tensor(variance)] + sizes + [encoder.rowScratch])
    if parts > 1 {
      try encoder.map(
        "batch_statistics_combine", in: "normalization/batch_norm", count: channels,
        [.tensor(mean), .tensor(variance), .tensor(y[1]), .tensor(y[2])] + sizes)
    }
    try encoder.channelRows(
      "batch_normalize", x + [y[1], y[2], y[0]], like: x[0], [.float(epsilon)])
  }
}

extension BatchNormBackward: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    let parts = StepEncoder.parts(inputs[1], on: device)
    return parts == 1 ? 0 : 4 * 2 * parts * outputs[1].elementCount
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (dy, input, mean, variance, weight) = (x[0], x[1], x[2], x[3], x[4])
    let (batch, channels, length) = input.channels
    let parts = StepEncoder.parts(input.type, on: encoder.device)
    let count = parts * channels
    let (dweight, dbias) =
      parts == 1
      ? (y[1], y[2]) : (encoder.scratch(0, count: count), encoder.scratch(count, count: count))
    try encoder.rows(
      "batch_norm_backward_sums", in: "normalization/batch_norm", count: count,
      [dy, input, mean, variance, dweight, dbias].map(Argument.tensor)
        + [
          .int(batch), .int(channels), .int(length), .int(parts), .float(epsilon),
          encoder.rowScratch,
        ])
    if parts > 1 {
      try encoder.sumParts(dweight, into: y[1], parts: parts)
      try encoder.sumParts(dbias, into: y[2], parts: parts)
    }
    try encoder.channelRows(
      "batch_norm_backward_input", [dy, input, mean, variance, weight, y[1], y[2], y[0]],
      like: input, [.int(batch), .float(epsilon)])
  }
}

extension NormalizeRows: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.rows(
      "normalize_rows", in: "normalization/normalize_rows", count: x[0].shape[0],
      (x + y).map(Argument.tensor)
        + [.int(x[0].shape[1]), .float(epsilon), encoder.rowScratch])
  }
}

extension NormalizeRowsBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.rows(
      "normalize_rows_backward", in: "normalization/normalize_rows", count: x[0].shape[0],
      (x + y).map(Argument.tensor)
        + [.int(x[0].shape[1]), encoder.rowScratch])
  }
}
