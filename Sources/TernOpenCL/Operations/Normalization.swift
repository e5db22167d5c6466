import TernCore
import TernGraph

extension View {
  /// The shape as [N, C, L].
  fileprivate var channels: (batch: Int, channels: Int, length: Int) {
    (shape[0], shape[1], shape.elementCount(in: 2..<shape.rank))
  }
}

/// Batch normalisation where a work-item does much: see `normalization/batch_norm.cl`.
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

  fileprivate func batchNorm(_ x: [View], _ y: [View], epsilon: Float) throws {
    let (batch, channels, length) = x[0].channels
    let parts = Self.parts(x[0].type, on: device)
    let sizes: [Argument] = [.int(batch), .int(channels), .int(length), .int(parts)]
    let count = parts * channels
    let (mean, variance) =
      parts == 1 ? (y[1], y[2]) : (scratch(0, count: count), scratch(count, count: count))
    try rows(
      "batch_statistics", in: "normalization/batch_norm", count: count,
      [.tensor(x[0]), .tensor(mean), .tensor(variance)] + sizes + [rowScratch])
    if parts > 1 {
      try map(
        "batch_statistics_combine", in: "normalization/batch_norm", count: channels,
        [.tensor(mean), .tensor(variance), .tensor(y[1]), .tensor(y[2])] + sizes)
    }
    try channelRows("batch_normalize", x + [y[1], y[2], y[0]], like: x[0], [.float(epsilon)])
  }

  fileprivate func batchNormBackward(_ x: [View], _ y: [View], epsilon: Float) throws {
    let (dy, input, mean, variance, weight) = (x[0], x[1], x[2], x[3], x[4])
    let (batch, channels, length) = input.channels
    let parts = Self.parts(input.type, on: device)
    let count = parts * channels
    let (dweight, dbias) =
      parts == 1 ? (y[1], y[2]) : (scratch(0, count: count), scratch(count, count: count))
    try rows(
      "batch_norm_backward_sums", in: "normalization/batch_norm", count: count,
      [dy, input, mean, variance, dweight, dbias].map(Argument.tensor)
        + [
          .int(batch), .int(channels), .int(length), .int(parts), .float(epsilon), rowScratch,
        ])
    if parts > 1 {
      try sumParts(dweight, into: y[1], parts: parts)
      try sumParts(dbias, into: y[2], parts: parts)
    }
    try channelRows(
      "batch_norm_backward_input", [dy, input, mean, variance, weight, y[1], y[2], y[0]],
      like: input, [.int(batch), .float(epsilon)])
  }
}

/// Batch normalisation by many threads: see `normalization/batch_norm_threads.cl`.
private struct ChannelCut {
  private static let file = "normalization/batch_norm_threads"

  private let shape: (batch: Int, channels: Int, length: Int)
  private let encoder: StepEncoder
  /// The parts that a channel's elements are summed in, so that few channels keep a device busy.
  let parts: Int
  /// Four numbers for each channel, and those of the first again.
  let coefficients: View
  /// Two numbers for each channel and part.
  let sums: (View, View)

  static func parts(_ x: TensorType, on device: OpenCLDevice) -> Int {
    let channels = x.shape[1] * device.rowGroup
    return max(1, min(device.busyItemCount / channels, x.elementCount / 16_384))
  }

  static func workspaceByteCount(_ x: TensorType, on device: OpenCLDevice) -> Int {
    4 * ((4 + 2 * parts(x, on: device)) * x.shape[1] + 4)
  }

  init(_ x: View, _ encoder: StepEncoder) {
    shape = x.channels
    self.encoder = encoder
    parts = Self.parts(x.type, on: encoder.device)
    let channels = shape.channels
    let quads = 4 * (channels + 1)
    coefficients = encoder.scratch(0, count: quads)
    sums = (
      encoder.scratch(quads, count: parts * channels),
      encoder.scratch(quads + parts * channels, count: parts * channels)
    )
  }

  var terms: Int { shape.batch * shape.length }

  /// Appends a kernel with a group for every channel and part.
  func encodeMoments(_ name: String, _ inputs: [View]) throws {
    let vectors = encoder.rowVectors(shape.length, inputs.map(Argument.tensor))
    try encoder.rows(
      name, in: Self.file, count: parts * shape.channels,
      (inputs + [sums.0, sums.1]).map(Argument.tensor)
        + [
          .int(shape.batch), .int(shape.channels), .divisor(shape.length / vectors.width),
          .int(parts), encoder.rowScratch,
        ], defines: vectors.defines)
  }

  /// Appends a kernel with a work-item for every channel. `total` is what the parts divide.
  func encodeCoefficients(
    _ name: String, _ inputs: [View], _ outputs: [View], total: Argument, epsilon: Float
  ) throws {
    try encoder.map(
      name, in: Self.file, count: shape.channels,
      ([sums.0, sums.1] + inputs + outputs + [coefficients]).map(Argument.tensor)
        + [total, .int(shape.channels), .int(parts), .float(epsilon)])
  }

  /// Appends a kernel over all elements.
  func encodeElements(_ name: String, _ inputs: [View], into y: View) throws {
    let tensors = (inputs + [coefficients, y]).map(Argument.tensor)
    let isAligned = encoder.isAligned(tensors) && shape.length >= 4
    var defines = ["V": isAligned ? 4 : 1]
    if isAligned { defines["ALIGNED"] = 1 }
    if isAligned, y.count % 4 == 0 { defines["WHOLE"] = 1 }
    if isAligned, shape.length % 4 != 0 { defines["STRADDLES"] = 1 }
    try encoder.map(
      name, in: Self.file, count: isAligned ? y.count / 4 + y.count % 4 : y.count,
      tensors + [.int(y.count), .divisor(shape.length), .divisor(shape.channels)],
      defines: defines)
  }

  /// What the parts of ``encodeMoments(_:_:)`` divide.
  func vectorCount(_ x: View) -> Int {
    terms / encoder.rowVectors(shape.length, [.tensor(x)]).width
  }
}

extension Operations.BatchNorm: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    if device.architecture == .manyThreads {
      return ChannelCut.workspaceByteCount(inputs[0], on: device)
    }
    let parts = StepEncoder.parts(inputs[0], on: device)
    return parts == 1 ? 0 : 4 * 2 * parts * outputs[1].elementCount
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    guard encoder.architecture == .manyThreads else {
      return try encoder.batchNorm(x, y, epsilon: epsilon)
    }
    let cut = ChannelCut(x[0], encoder)
    try cut.encodeMoments("batch_moments", [x[0]])
    try cut.encodeCoefficients(
      "batch_norm_coefficients", [x[1], x[2]], [y[1], y[2]], total: .int(cut.vectorCount(x[0])),
      epsilon: epsilon)
    try cut.encodeElements("batch_norm_apply", [x[0]], into: y[0])
  }
}

extension Operations.BatchNormBackward: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    if device.architecture == .manyThreads {
      return ChannelCut.workspaceByteCount(inputs[1], on: device)
    }
    let parts = StepEncoder.parts(inputs[1], on: device)
    return parts == 1 ? 0 : 4 * 2 * parts * outputs[1].elementCount
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    guard encoder.architecture == .manyThreads else {
      return try encoder.batchNormBackward(x, y, epsilon: epsilon)
    }
    let (dy, input, mean, variance, weight) = (x[0], x[1], x[2], x[3], x[4])
    let cut = ChannelCut(input, encoder)
    try cut.encodeMoments("batch_norm_backward_moments", [dy, input, mean])
    try cut.encodeCoefficients(
      "batch_norm_backward_coefficients", [mean, variance, weight], [y[1], y[2]],
      total: .float(Float(cut.terms)), epsilon: epsilon)
    try cut.encodeElements("batch_norm_backward_apply", [dy, input], into: y[0])
  }
}

extension Operations.NormalizeRows: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (rows, length) = (x[0].shape[0], x[0].shape[1])
    try encoder.rows(
      "normalize_rows", in: "normalization/normalize_rows", count: rows, length: length,
      (x + y).map(Argument.tensor)
        + [.int(rows), .int(length), .float(epsilon), encoder.rowScratch])
  }
}

extension Operations.NormalizeRowsBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (rows, length) = (x[0].shape[0], x[0].shape[1])
    try encoder.rows(
      "normalize_rows_backward", in: "normalization/normalize_rows", count: rows, length: length,
      (x + y).map(Argument.tensor) + [.int(rows), .int(length), encoder.rowScratch])
  }
}
