import TernCore
import TernGraph

/// How the kernels of attention cut their work.
private struct AttentionCut {
  let batch: Int
  let queries: Int
  let keys: Int
  /// The elements of a row of query and key, and of value.
  let width: Int
  let valueWidth: Int

  init(_ query: View, _ key: View, _ value: View) {
    (batch, queries, keys) = (query.shape[0], query.shape[1], key.shape[1])
    (width, valueWidth) = (query.shape[2], value.shape[2])
  }

  /// The work-items with registers of their own that share a row, at most.
  private static let largestSplit = 8
  /// The local memory for rows that were copied, in bytes: what every GPU has, twice over.
  private static let stageByteCount = 16 << 10

  /// Appends a kernel that keeps `count` rows of each of the batch.
  ///
  /// - Parameter registers: for how many elements of a row a work-item of a GPU has registers.
  func encode(
    _ name: String, rows count: Int, registers: Int, _ tensors: [View], scale: Float,
    isCausal: Bool, in encoder: StepEncoder
  ) throws {
    var arguments =
      tensors.map(Argument.tensor) + [
        .int(batch), .int(queries), .int(keys), .float(scale), .int(isCausal ? 1 : 0),
      ]
    var defines = ["E": width, "VE": valueWidth]
    let file = "attention/attention"
    guard case .manyThreads = encoder.architecture else {
      let lanes = max(encoder.architecture.vectorWidth(upTo: count), 4)
      defines["V"] = lanes
      arguments.append(.localFloats(1))
      let items = batch * ((count + lanes - 1) / lanes)
      return try encoder.blocks(name, in: file, count: items, arguments, defines: defines)
    }
    let split = min(
      (max(width, valueWidth) + registers - 1) / registers,
      encoder.device.limits.group(upTo: Self.largestSplit))
    // Fewer where a group of so many has no room, or its kernel too few registers for them.
    let problem = "\(name) of \(width) and \(valueWidth)"
    var rows = split > 4 ? 32 : 64
    while rows > 1,
      rows * split > encoder.device.limits.groupSize
        || !encoder.device.fits("\(rows) rows", problem)
    { rows /= 2 }
    func span(_ width: Int) -> Int { (width + split - 1) / split * split }
    let rowByteCount = 4 * (span(width) + span(valueWidth))
    let block = [8, 4, 2].first { $0 * rowByteCount <= Self.stageByteCount } ?? 1
    let stage = max(min(Self.stageByteCount / rowByteCount, 32) / block, 1) * block
    let localByteCount = stage * rowByteCount + (split > 1 ? 8 * block * rows * split : 0)
    guard localByteCount <= encoder.device.limits.localByteCount else {
      throw TernError(
        .runtime,
        "scaled_dot_product_attention: rows of \(width) and \(valueWidth) elements need more "
          + "local memory than \(encoder.device.info.id) has, "
          + "\(encoder.device.limits.localByteCount) bytes")
    }
    defines.merge(["V": 1, "ROWS": rows, "SPLIT": split, "STAGE": stage, "BLOCK": block]) { $1 }
    arguments.append(.localFloats(localByteCount / 4))
    try encoder.choosing("\(rows) rows", of: problem, isOnly: rows == 1) {
      try encoder.launch(
        name, in: file, groups: [batch * ((count + rows - 1) / rows)], localSize: [rows * split],
        arguments, defines: defines)
    }
  }
}

extension Attention: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let cut = AttentionCut(x[0], x[1], x[2])
    try cut.encode(
      "attention", rows: cut.queries, registers: 64, x + y, scale: scale, isCausal: isCausal,
      in: encoder)
  }
}

extension AttentionBackward: OpenCLOperation {
  /// dy · y per query.
  private func innerCount(_ query: Shape) -> Int { query[0] * query[1] }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { 4 * innerCount(inputs[1].shape) }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (dy, query, key, value, logSum) = (x[0], x[1], x[2], x[3], x[5])
    let cut = AttentionCut(query, key, value)
    let inner = encoder.scratch(0, count: innerCount(query.shape))
    try cut.encode(
      "attention_backward_query", rows: cut.queries, registers: 32, x + [y[0], inner],
      scale: scale, isCausal: isCausal, in: encoder)
    try cut.encode(
      "attention_backward_key_value", rows: cut.keys, registers: 32,
      [dy, query, key, value, logSum, inner, y[1], y[2]], scale: scale, isCausal: isCausal,
      in: encoder)
  }
}
