import TernGraph

extension Operations.RandomNormal: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let arguments: [Argument] = [
      .tensor(x[0]), .tensor(y[0]), .int(y[0].count), .uint(key0), .uint(key1), .uint(stream),
    ]
    try encoder.map(
      "random_normal", in: "elementwise/random", count: (y[0].count + 3) / 4, arguments,
      defines: encoder.isAligned(arguments) ? ["ALIGNED": 1] : [:])
  }
}

extension Operations.Bernoulli: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.counters(
      "bernoulli", in: "elementwise/random", count: y[0].count,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(y[0].count), .uint(key0), .uint(key1),
        .uint(stream),
      ])
  }
}
