import TernGraph

extension Embedding: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "embedding", in: "embedding/embedding", count: y[0].count,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(x[0].count), .int(x[1].shape[1]),
        .int(x[1].shape[0]),
      ])
  }
}

extension EmbeddingBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "embedding_backward", in: "embedding/embedding", count: y[0].count,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(x[1].count), .int(y[0].shape[1]),
        .int(rowCount),
      ])
  }
}
