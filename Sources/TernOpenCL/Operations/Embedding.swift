import TernGraph

extension Embedding: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let columns = x[1].shape[1]
    let width = encoder.architecture.vectorWidth(upTo: columns)
    try encoder.map(
      "embedding", in: "embedding/embedding",
      count: x[0].count * ((columns + width - 1) / width),
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(x[0].count), .int(columns),
        .int(x[1].shape[0]),
      ], defines: ["V": width])
  }
}

extension EmbeddingBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let columns = y[0].shape[1]
    let wanted = min(
      rowCount, encoder.device.busyItemCount / encoder.device.rowGroup)
    // A power of two: the kernel takes remainders of every index.
    let groups = 1 << (Int.bitWidth - 1 - max(1, wanted).leadingZeroBitCount)
    try encoder.rows(
      "embedding_backward", in: "embedding/embedding", count: groups,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(x[1].count), .int(columns),
        .int(rowCount), .int(groups),
      ], defines: ["V": encoder.architecture.vectorWidth(upTo: columns)])
  }
}
