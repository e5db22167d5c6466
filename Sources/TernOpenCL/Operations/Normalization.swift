import TernCore
import TernGraph

extension View {
  /// The shape as [N, C, L].
  fileprivate var channels: (batch: Int, channels: Int, length: Int) {
    (shape[0], shape[1], shape.elementCount(in: 2..<shape.rank))
  }
}

/// What a batch normalisation reads and writes, and what stands behind it.
private struct BatchNormalization {
  let x: View
  let weight: View
  let bias: View
  var residual: View?
  var rectifies = false
  /// The running statistics as they were and as they become.
  var running: [(old: View, new: View, blend: Operations.FusedBatchNorm.Blend)] = []
  let y: View
  let mean: View
  let variance: View
  /// Whether the mean and the variance are read, not taken of the batch.
  var hasStatistics = false
  let epsilon: Float

  var defines: [String: Int] {
    var defines: [String: Int] = [:]
    if residual != nil { defines["RESIDUAL"] = 1 }
    if rectifies { defines["RECTIFIES"] = 1 }
    return defines
  }

  /// What running statistics keep of themselves and take of the batch's.
  var keep: Argument { .floats(running.flatMap { [$0.blend.keep, $0.blend.share] }) }

  func encode(in encoder: StepEncoder) throws {
    guard encoder.architecture == .manyThreads else { return try encoder.batchNorm(self) }
    let cut = ChannelCut(x, encoder, hasSums: !hasStatistics, unused: mean)
    var sums = cut.sums
    var defines = defines
    if hasStatistics {
      sums = (mean, variance)
      defines["GIVEN"] = 1
    } else if cut.parts > 1 {
      try cut.encode("batch_moments", [x], [sums.0, sums.1])
      defines.merge(cut.definesOfSums) { $1 }
    }
    if !running.isEmpty { defines["RUNNING"] = 1 }
    // What is not there is not looked at.
    let statistics = running.isEmpty ? [mean, variance] : running.map(\.old)
    try cut.encode(
      "batch_norm_apply", [x] + (residual.map { [$0] } ?? []),
      sums: [x, sums.0, sums.1, weight, bias, residual ?? x] + statistics,
      [y, mean, variance] + (running.isEmpty ? [mean, variance] : running.map(\.new)),
      [.float(epsilon), keep], defines: defines)
  }
}

/// The gradients of a batch normalisation.
private struct BatchNormalizationBackward {
  let dy: View
  let x: View
  let mean: View
  let variance: View
  let weight: View
  /// Where a relu stands behind the normalisation.
  var bias: View?
  let dx: View
  let dWeight: View
  let dBias: View
  let epsilon: Float

  var defines: [String: Int] { bias == nil ? [:] : ["RECTIFIES": 1] }
  /// What both sums are taken of.
  var inputs: [View] { [dy, x, mean, variance, weight, bias ?? weight] }

  func encode(in encoder: StepEncoder) throws {
    guard encoder.architecture == .manyThreads else { return try encoder.batchNormBackward(self) }
    let cut = ChannelCut(x, encoder, unused: mean)
    if cut.parts > 1 {
      try cut.encode(
        "batch_norm_backward_moments", [dy, x], sums: inputs, [cut.sums.0, cut.sums.1],
        [.float(epsilon)], defines: defines)
    }
    try cut.encode(
      "batch_norm_backward_apply", [dy, x, dx], sums: inputs + [cut.sums.0, cut.sums.1],
      [dx, dWeight, dBias], [.float(epsilon)],
      defines: defines.merging(cut.definesOfSums) { $1 })
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
    _ name: String, _ tensors: [View], like x: View, _ tail: [Argument], _ defines: [String: Int]
  ) throws {
    let (batch, channels, length) = x.channels
    let width = architecture.vectorWidth(upTo: length)
    try map(
      name, in: "normalization/batch_norm",
      count: batch * channels * ((length + width - 1) / width),
      tensors.map(Argument.tensor)
        + [.int(batch * channels), .int(channels), .int(length)] + tail,
      defines: defines.merging(["V": width]) { $1 })
  }

  fileprivate func batchNorm(_ it: BatchNormalization) throws {
    if !it.hasStatistics { try batchStatistics(it) }
    try channelRows(
      "batch_normalize",
      [it.x, it.weight, it.bias, it.mean, it.variance, it.residual ?? it.x, it.y], like: it.x,
      [.float(it.epsilon)], it.defines)
  }

  private func batchStatistics(_ it: BatchNormalization) throws {
    let (batch, channels, length) = it.x.channels
    let parts = Self.parts(it.x.type, on: device)
    let sizes: [Argument] = [.int(batch), .int(channels), .int(length), .int(parts)]
    let count = parts * channels
    let (mean, variance) =
      parts == 1 ? (it.mean, it.variance) : (scratch(0, count: count), scratch(count, count: count))
    try rows(
      "batch_statistics", in: "normalization/batch_norm", count: count,
      [.tensor(it.x), .tensor(mean), .tensor(variance)] + sizes + [rowScratch])
    if parts > 1 {
      try map(
        "batch_statistics_combine", in: "normalization/batch_norm", count: channels,
        [mean, variance, it.mean, it.variance].map(Argument.tensor) + sizes)
    }
    if !it.running.isEmpty {
      try map(
        "running_statistics", in: "normalization/batch_norm", count: channels,
        ([it.mean, it.variance] + it.running.map(\.old) + it.running.map(\.new))
          .map(Argument.tensor) + [.int(channels), it.keep])
    }
  }

  fileprivate func batchNormBackward(_ it: BatchNormalizationBackward) throws {
    let (batch, channels, length) = it.x.channels
    let parts = Self.parts(it.x.type, on: device)
    let count = parts * channels
    let (dWeight, dBias) =
      parts == 1 ? (it.dWeight, it.dBias) : (scratch(0, count: count), scratch(count, count: count))
    try rows(
      "batch_norm_backward_sums", in: "normalization/batch_norm", count: count,
      (it.inputs + [dWeight, dBias]).map(Argument.tensor)
        + [
          .int(batch), .int(channels), .int(length), .int(parts), .float(it.epsilon), rowScratch,
        ], defines: it.defines)
    if parts > 1 {
      try sumParts(dWeight, into: it.dWeight, parts: parts)
      try sumParts(dBias, into: it.dBias, parts: parts)
    }
    try channelRows(
      "batch_norm_backward_input", it.inputs + [it.dWeight, it.dBias, it.dx], like: it.x,
      [.int(batch), .float(it.epsilon)], it.defines)
  }

  fileprivate static func batchNormWorkspace(
    _ x: TensorType, on device: OpenCLDevice
  ) -> Int {
    if device.architecture == .manyThreads {
      return ChannelCut.workspaceByteCount(x, on: device)
    }
    let parts = parts(x, on: device)
    return parts == 1 ? 0 : 4 * 2 * parts * x.shape[1]
  }
}

/// Batch normalisation by many threads: see `normalization/batch_norm_threads.cl`.
private struct ChannelCut {
  private static let file = "normalization/batch_norm_threads"

  private let shape: (batch: Int, channels: Int, length: Int)
  private let encoder: StepEncoder
  /// The parts that a channel's elements are taken in, so that few channels keep a device busy.
  let parts: Int
  /// Two numbers for each channel and part, where there are several.
  let sums: (View, View)

  static func parts(_ x: TensorType, on device: OpenCLDevice) -> Int {
    let channels = x.shape[1] * device.rowGroup
    return max(1, min(device.busyItemCount / channels, x.elementCount / 16_384))
  }

  /// Few parts are put together by every work-item for itself, many by the group.
  var definesOfSums: [String: Int] { (2...16).contains(parts) ? ["FEW_PARTS": 1] : [:] }

  static func workspaceByteCount(_ x: TensorType, on device: OpenCLDevice) -> Int {
    let parts = parts(x, on: device)
    return parts == 1 ? 0 : 4 * 2 * parts * x.shape[1]
  }

  /// - Parameters:
  ///   - hasSums: whether the node has scratch memory for sums.
  ///   - unused: what stands in the place of sums that there are not.
  init(_ x: View, _ encoder: StepEncoder, hasSums: Bool = true, unused: View) {
    shape = x.channels
    self.encoder = encoder
    parts = Self.parts(x.type, on: encoder.device)
    let count = parts * shape.channels
    sums =
      parts == 1 || !hasSums
      ? (unused, unused) : (encoder.scratch(0, count: count), encoder.scratch(count, count: count))
  }

  /// Appends a kernel with a group for every channel and part.
  ///
  /// - Parameters:
  ///   - large: of the tensors those that are read or written in vectors.
  ///   - sums: what is read; `large` where there is no more.
  func encode(
    _ name: String, _ large: [View], sums inputs: [View]? = nil, _ outputs: [View],
    _ tail: [Argument] = [], defines: [String: Int] = [:]
  ) throws {
    let all = outputs.filter { $0.count == large[0].count } + large
    let vectors = encoder.rowVectors(shape.length, all.map(Argument.tensor))
    var defines = defines.merging(vectors.defines) { $1 }
    if parts == 1 { defines["ONE_PART"] = 1 }
    try encoder.rows(
      name, in: Self.file, count: parts * shape.channels,
      ((inputs ?? large) + outputs).map(Argument.tensor)
        + [
          .int(shape.batch), .int(shape.channels), .divisor(shape.length / vectors.width),
          .int(parts),
        ] + tail + [encoder.rowScratch], defines: defines)
  }
}

extension Operations.BatchNorm: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { StepEncoder.batchNormWorkspace(inputs[0], on: device) }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try BatchNormalization(
      x: x[0], weight: x[1], bias: x[2], y: y[0], mean: y[1], variance: y[2], epsilon: epsilon
    ).encode(in: encoder)
  }
}

extension Operations.FusedBatchNorm: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { StepEncoder.batchNormWorkspace(inputs[0], on: device) }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let statistics = zip(zip(x.suffix(running.count), y.suffix(running.count)), running)
    try BatchNormalization(
      x: x[0], weight: x[1], bias: x[2], residual: addsResidual ? x[3] : nil,
      rectifies: rectifies, running: statistics.map { ($0.0, $0.1, $1) }, y: y[0], mean: y[1],
      variance: y[2], epsilon: epsilon
    ).encode(in: encoder)
  }
}

extension Operations.BatchNormApply: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try BatchNormalization(
      x: x[0], weight: x[1], bias: x[2], residual: addsResidual ? x[5] : nil,
      rectifies: rectifies, y: y[0], mean: x[3], variance: x[4], hasStatistics: true,
      epsilon: epsilon
    ).encode(in: encoder)
  }
}

extension Operations.BatchNormBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { StepEncoder.batchNormWorkspace(inputs[1], on: device) }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try BatchNormalizationBackward(
      dy: x[0], x: x[1], mean: x[2], variance: x[3], weight: x[4], dx: y[0], dWeight: y[1],
      dBias: y[2], epsilon: epsilon
    ).encode(in: encoder)
  }
}

extension Operations.RectifiedBatchNormBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { StepEncoder.batchNormWorkspace(inputs[1], on: device) }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try BatchNormalizationBackward(
      dy: x[0], x: x[1], mean: x[2], variance: x[3], weight: x[4], bias: x[5], dx: y[0],
      dWeight: y[1], dBias: y[2], epsilon: epsilon
    ).encode(in: encoder)
  }
}

extension Operations.NormalizeRows: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (rows, length) = (x[0].shape[0], x[0].shape[1])
    try encoder.rows(
      "normalize_rows", in: "normalization/normalize_rows", count: rows, length: length,
      (x + y).map(Argument.tensor)
        + [.int(rows), .int(length), .float(epsilon), encoder.rowScratch])
  }
}

extension Operations.NormalizeRowsBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (rows, length) = (x[0].shape[0], x[0].shape[1])
    try encoder.rows(
      "normalize_rows_backward", in: "normalization/normalize_rows", count: rows, length: length,
      (x + y).map(Argument.tensor) + [.int(rows), .int(length), encoder.rowScratch])
  }
}
