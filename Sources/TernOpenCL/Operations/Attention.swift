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

  /// Work-items across a tile: `COLUMNS` in `attention/attention_threads.cl`.
  private static let columns = 8
  /// Elements of rows that come to local memory at a time, and what a work-item has of them: `CHUNK`.
  private static let chunk = (length: 32, own: 4)

  /// Appends the kernel that keeps `count` rows of each of the batch.
  ///
  /// - Parameters:
  ///   - name: with `_tiles` behind it, the kernel's for many threads.
  ///   - sums: the lengths of the rows of sums that a work-item of a GPU keeps, and for how many numbers
  ///     of them it has registers.
  func encode(
    _ name: String, rows count: Int, sums: (rows: [Int], registers: Int),
    _ tensors: [View], scale: Float, isCausal: Bool, in encoder: StepEncoder
  ) throws {
    let tail: [Argument] = [
      .int(queries), .int(keys), .float(scale), .int(isCausal ? 1 : 0),
    ]
    let arguments = tensors.map(Argument.tensor)
    var defines = ["E": width, "VE": valueWidth]
    guard case .manyThreads = encoder.architecture else {
      let lanes = max(encoder.architecture.vectorWidth(upTo: count), 4)
      defines["V"] = lanes
      return try encoder.blocks(
        name, in: "attention/attention", count: batch * ((count + lanes - 1) / lanes),
        arguments + [.int(batch)] + tail, defines: defines)
    }
    let size = max(Self.columns, encoder.device.rowGroup)
    let lines = size / Self.columns
    let chunks = sums.rows.reduce(0) { $0 + ($1 + Self.chunk.length - 1) / Self.chunk.length }
    // Rows of a work-item: as many as there are registers for and rows, and groups for the device.
    var each = 4
    while each > 1,
      each * chunks * Self.chunk.own > sums.registers || lines * each >= 2 * count
    {
      each /= 2
    }
    if encoder.isAligned(arguments, apart: [width, valueWidth]) { defines["ALIGNED"] = 1 }
    defines["EACH"] = each
    let batch = batch
    encoder.groups(
      "\(name)_tiles", in: "attention/attention_threads", upTo: size, arguments + tail,
      defines: defines
    ) { size in
      let lines = max(1, size / Self.columns)
      let tile = lines * each
      return (batch * ((count + tile - 1) / tile), ["LINES": lines])
    }
  }
}

extension Operations.Attention: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let cut = AttentionCut(x[0], x[1], x[2])
    try cut.encode(
      "attention", rows: cut.queries, sums: ([cut.valueWidth], 32), x + y, scale: scale,
      isCausal: isCausal,
      in: encoder)
  }
}

extension Operations.AttentionBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

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
      "attention_backward_query", rows: cut.queries, sums: ([cut.width], 32),
      x + [y[0], inner], scale: scale, isCausal: isCausal, in: encoder)
    try cut.encode(
      "attention_backward_key_value", rows: cut.keys,
      sums: ([cut.width, cut.valueWidth], 64), [dy, query, key, value, logSum, inner, y[1], y[2]],
      scale: scale, isCausal: isCausal,
      in: encoder)
  }
}
