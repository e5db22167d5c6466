import TernCore
import TernGraph

extension Conv2D: OpenCLOperation {
  func workspaceByteCount(inputs: [TensorType], outputs: [TensorType]) -> Int {
    guard let geometry = try? geometry(inputs) else { return 0 }
    return PlaneConvolution(forward: geometry)?.workspaceByteCount ?? 0
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let geometry = try geometry(x.map(\.type))
    let bias = x.count == 3 ? x[2] : nil
    if let planes = PlaneConvolution(forward: geometry) {
      try planes.encode(x[0], weight: x[1], bias: bias, into: y[0], encoder)
    } else {
      try encoder.map(
        "conv2d_direct", in: "convolution/direct", count: y[0].count,
        [.tensor(x[0]), .tensor(x[1]), .tensor(bias ?? x[1]), .tensor(y[0])]
          + geometry.arguments + [.int(bias == nil ? 0 : 1)])
    }
  }
}

extension Conv2DBackwardInput: OpenCLOperation {
  func workspaceByteCount(inputs: [TensorType], outputs: [TensorType]) -> Int {
    guard let geometry = try? geometry(inputs) else { return 0 }
    return PlaneConvolution(backwardInput: geometry)?.workspaceByteCount ?? 0
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let geometry = try geometry(x.map(\.type))
    if let planes = PlaneConvolution(backwardInput: geometry) {
      try planes.encode(x[0], weight: x[1], bias: nil, into: y[0], encoder)
    } else {
      try encoder.map(
        "conv2d_direct_backward_input", in: "convolution/direct", count: y[0].count,
        [.tensor(x[0]), .tensor(x[1]), .tensor(y[0])] + geometry.arguments)
    }
  }
}

extension Conv2DBackwardWeight: OpenCLOperation {
  func workspaceByteCount(inputs: [TensorType], outputs: [TensorType]) -> Int {
    guard let geometry = try? geometry(inputs) else { return 0 }
    let weights = PlaneConvolutionBackwardWeight(geometry)?.workspaceByteCount ?? 0
    // The bias is summed after the weights are done, in the same memory.
    guard hasBias else { return weights }
    return max(
      weights, Self.biasSum.workspaceByteCount(inputs: [inputs[1]], outputs: [outputs[1]]))
  }

  private static let biasSum = Reduce(.sum, axes: [0, 2, 3], keepsAxes: false)

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let geometry = try geometry(x.map(\.type))
    if let planes = PlaneConvolutionBackwardWeight(geometry) {
      try planes.encode(x[0], x[1], into: y[0], encoder)
    } else {
      try encoder.rows(
        "conv2d_direct_backward_weight", in: "convolution/direct", count: y[0].count,
        [.tensor(x[0]), .tensor(x[1]), .tensor(y[0])] + geometry.arguments
          + [.localFloats(StepEncoder.localSize)])
    }
    if hasBias {
      try Self.biasSum.encode([x[1]], [y[1]], in: encoder)
    }
  }
}

extension Conv2DGeometry {
  /// The two vectors that `convolution/direct.cl` takes.
  fileprivate var arguments: [Argument] {
    [
      .ints([
        batch, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth, groups,
      ]),
      .ints([
        kernelHeight, kernelWidth, window.strideHeight, window.strideWidth, window.paddingHeight,
        window.paddingWidth, window.dilationHeight, window.dilationWidth,
      ]),
    ]
  }
}
