import TernCore
import TernGraph

extension Operations.Cast: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.elements(
      "cast", in: "elementwise/cast", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), .int(y[0].count)],
      defines: [
        "INPUT_TYPE": x[0].type.dataType.kernelType, "OUTPUT_TYPE": y[0].type.dataType.kernelType,
      ])
  }
}

extension Operations.Assign: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    encoder.append(CopyLaunch(from: x[1], to: y[0]))
  }
}

extension Operations.Reorder: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    encoder.append(CopyLaunch(from: x[0], to: y[0]))
  }
}
