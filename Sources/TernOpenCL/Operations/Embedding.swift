import TernCore
import TernGraph

extension Operations.Embedding: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let columns = x[1].shape[1]
    let vectors = encoder.rowVectors(columns, [.tensor(x[1]), .tensor(y[0])])
    let across = (columns + vectors.width - 1) / vectors.width
    try encoder.map(
      "embedding", in: "embedding/embedding", count: x[0].count * across,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(x[0].count * across), .int(columns),
        .int(x[1].shape[0]), .divisor(across),
      ], defines: vectors.defines)
  }
}

extension Operations.EmbeddingBackward: OpenCLOperation {
  /// Tokens of the same row, of so many neighbours, are added up before a group of work-items adds up
  /// its rows one by one; `nil` where there are few, or cores.
  private func mergedCount(_ tokens: Int, on device: OpenCLDevice) -> Int? {
    let group = device.rowGroup
    return device.architecture == .manyThreads && tokens > 8 * group ? group : nil
  }

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    let tokens = inputs[1].elementCount
    guard let group = mergedCount(tokens, on: device) else { return 0 }
    let rows: Int = (tokens + group - 1) / group * (group / 2)
    return 4 * (rows * outputs[0].shape[1] + 2 * tokens)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (tokens, columns) = (x[1].count, y[0].shape[1])
    let wanted = min(
      rowCount, encoder.device.busyItemCount / encoder.device.rowGroup)
    // A power of two: the kernel takes remainders of every index.
    let groups = 1 << (Int.bitWidth - 1 - max(1, wanted).leadingZeroBitCount)
    let vectors = encoder.rowVectors(columns, [.tensor(x[0]), .tensor(y[0])])
    let sizes: [Argument] = [.int(tokens), .int(columns), .int(rowCount)]
    guard let group = mergedCount(tokens, on: encoder.device) else {
      return try encoder.rows(
        "embedding_backward", in: "embedding/embedding", count: groups,
        [.tensor(x[0]), .tensor(x[1]), .tensor(y[0])] + sizes + [.int(groups)],
        defines: vectors.defines)
    }
    let chunks = (tokens + group - 1) / group
    let sums = encoder.scratch(0, count: chunks * (group / 2) * columns)
    let owners = encoder.scratch(sums.count, count: tokens)
    let slots = encoder.scratch(sums.count + tokens, count: tokens)
    encoder.groups(
      "embedding_merge", in: "embedding/embedding", upTo: group,
      [.tensor(x[0]), .tensor(x[1]), .tensor(sums), .tensor(owners), .tensor(slots)] + sizes,
      defines: vectors.defines
    ) { size in ((tokens + size - 1) / size, ["GROUP": size]) }
    try encoder.rows(
      "embedding_backward", in: "embedding/embedding", count: groups,
      [.tensor(x[0]), .tensor(owners), .tensor(y[0])] + sizes
        + [.int(groups), .tensor(sums), .tensor(slots)],
      defines: vectors.defines.merging(["MERGED": 1]) { $1 })
  }
}
