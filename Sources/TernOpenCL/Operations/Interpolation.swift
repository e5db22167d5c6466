import TernCore
import TernGraph

extension Interpolate.Mode {
  fileprivate var define: [String: Int] {
    switch self {
    case .nearest: ["MODE": 0]
    case .bilinear(let alignsCorners): ["MODE": alignsCorners ? 2 : 1]
    }
  }
}

private func extents(_ input: Shape, _ output: Shape) -> Argument {
  .ints([input[0] * input[1], input[2], input[3], output[2], output[3]])
}

extension Interpolate: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "interpolate", in: "pooling/interpolate", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), extents(x[0].shape, y[0].shape)], defines: mode.define)
  }
}

extension InterpolateBackward: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    try encoder.map(
      "interpolate_backward", in: "pooling/interpolate", count: y[0].count,
      [.tensor(x[0]), .tensor(y[0]), extents(inputShape, x[0].shape)], defines: mode.define)
  }
}
