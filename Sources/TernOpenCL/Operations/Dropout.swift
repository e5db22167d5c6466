import TernCore
import TernGraph

extension Operations.Dropout: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.counters(
      "dropout", in: "elementwise/dropout", count: y[0].count,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(y[0].count), .float(probability),
        .float(1 / (1 - probability)), .uint(key0), .uint(key1), .uint(stream),
      ])
  }
}
