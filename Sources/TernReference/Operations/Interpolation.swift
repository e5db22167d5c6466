import TernCore
import TernGraph

extension Operations.Interpolate: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    mode.resampling(from: inputs[0].shape, to: outputs[0].shape).forward(inputs[0], outputs[0])
  }
}

extension Operations.InterpolateBackward: ReferenceOperation {
  func kernel(_ inputs: [View], _ outputs: [View]) -> Kernel {
    mode.resampling(from: outputs[0].shape, to: inputs[0].shape).backward(inputs[0], outputs[0])
  }
}

extension InterpolationMode {
  fileprivate func resampling(from input: Shape, to output: Shape) -> PlaneResampling {
    PlaneResampling(
      from: input, to: output, rowTaps: { taps($0, input[2], output[2]) },
      columnTaps: { taps($0, input[3], output[3]) })
  }

  /// The rows that output row i takes, of `extent`; the same for columns.
  private func taps(_ i: Int, _ extent: Int, _ outExtent: Int) -> [PlaneResampling.Tap] {
    let position: Double
    switch self {
    case .nearest: return [.init(source: i * extent / outExtent, weight: 1)]
    case .bilinear(alignsCorners: true):
      position = outExtent == 1 ? 0 : Double(i * (extent - 1)) / Double(outExtent - 1)
    case .bilinear(alignsCorners: false):
      // Pixels are squares with their centres at ½, and those beyond the border repeat it.
      position = max(0, (Double(i) + 0.5) * Double(extent) / Double(outExtent) - 0.5)
    }
    let lower = min(Int(position), extent - 1)
    let upper = min(lower + 1, extent - 1)
    let fraction = position - Double(lower)
    return [.init(source: lower, weight: 1 - fraction), .init(source: upper, weight: fraction)]
  }
}
