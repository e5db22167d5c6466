import TernCore
import TernGraph

extension Operations.PixelValues: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let shape = x[0].shape
    let plane = shape.elementCount / max(1, shape[0] * shape[1])
    let isAligned = encoder.isAligned([.tensor(y[0])], apart: [plane])
    let width = plane % 4 == 0 ? 4 : 1
    let count = shape.elementCount / width
    try encoder.map(
      "pixel_values", in: "elementwise/pixel_values", count: count,
      [
        .tensor(x[0]), .tensor(x[1]), .tensor(y[0]), .int(count), .divisor(plane / width),
        .divisor(shape[1]),
      ], defines: isAligned ? ["V": width, "ALIGNED": 1, "WHOLE": 1] : ["V": width])
  }
}
