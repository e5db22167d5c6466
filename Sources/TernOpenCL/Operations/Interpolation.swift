import TernCore
import TernGraph

extension InterpolationMode {
  fileprivate var defines: [String: Int] {
    switch self {
    case .nearest: ["MODE": 0]
    case .bilinear(let alignsCorners): ["MODE": alignsCorners ? 2 : 1]
    }
  }
}

private func extents(_ input: Shape, _ output: Shape) -> Argument {
  .ints([input[0] * input[1], input[2], input[3], output[2], output[3]])
}

extension Operations.Interpolate: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let shape = y[0].shape
    let width = encoder.architecture.vectorWidth(upTo: shape[3])
    try encoder.map(
      "interpolate", in: "pooling/interpolate",
      count: width == 1 ? y[0].count : y[0].count / shape[3], groupSize: width == 1 ? 64 : 16,
      [
        .tensor(x[0]), .tensor(y[0]), extents(x[0].shape, shape), .divisor(shape[2]),
        .divisor(shape[3]),
      ],
      defines: mode.defines.merging(["V": width]) { $1 })
  }
}

extension Operations.InterpolateBackward: OpenCLOperation {
  func storesHalves(_ inputs: [TensorType]) -> Bool { true }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let arguments: [Argument] = [
      .tensor(x[0]), .tensor(y[0]), extents(inputShape, x[0].shape),
    ]
    // What is added up element by element in memory is float32.
    guard encoder.architecture != .manyThreads, !y[0].type.dataType.isHalf else {
      return try encoder.map(
        "interpolate_backward", in: "pooling/interpolate", count: y[0].count,
        arguments + [.divisor(inputShape[2]), .divisor(inputShape[3])], defines: mode.defines)
    }
    let width = encoder.architecture.vectorWidth(upTo: x[0].shape[3])
    try encoder.map(
      "interpolate_backward_rows", in: "pooling/interpolate", count: y[0].count / inputShape[3],
      groupSize: 16, arguments, defines: mode.defines.merging(["V": width]) { $1 })
  }
}
