import TernGraph

/// The numbers that all attention kernels take.
private func geometry(_ query: View, _ key: View, scale: Float, isCausal: Bool) -> [Argument] {
  [
    .int(query.shape[0]), .int(query.shape[1]), .int(key.shape[1]), .float(scale),
    .int(isCausal ? 1 : 0),
  ]
}

private func rowSizes(_ query: View, _ value: View) -> [String: Int] {
  ["E": query.shape[2], "VE": value.shape[2]]
}

extension Attention: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "attention", in: "attention/attention", count: x[0].shape[0] * x[0].shape[1],
      (x + y).map(Argument.tensor) + geometry(x[0], x[1], scale: scale, isCausal: isCausal),
      defines: rowSizes(x[0], x[2]))
  }
}

extension AttentionBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let (query, key, value) = (x[1], x[2], x[3])
    let numbers = geometry(query, key, scale: scale, isCausal: isCausal)
    let inputs = x.map(Argument.tensor)
    try encoder.map(
      "attention_backward_query", in: "attention/attention",
      count: query.shape[0] * query.shape[1], inputs + [.tensor(y[0])] + numbers,
      defines: rowSizes(query, value))
    try encoder.map(
      "attention_backward_key_value", in: "attention/attention",
      count: key.shape[0] * key.shape[1], inputs + [.tensor(y[1]), .tensor(y[2])] + numbers,
      defines: rowSizes(query, value))
  }
}
