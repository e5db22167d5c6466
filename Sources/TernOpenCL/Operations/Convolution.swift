import TernCore
import TernGraph

// Devices with many threads gather patches tile by tile (ImplicitGemmConvolution). Where cores are
// wide, a kernel of one tap is a matrix product, and all others run on packed planes.

extension Conv2DGeometry {
  /// The product [O, C] × [C, H·W] of each sample that the convolution is; `nil` where it is more.
  private var isPointwise: Bool {
    groups == 1 && window == ConvolutionWindow() && kernelHeight == 1 && kernelWidth == 1
  }

  fileprivate func pointwiseProduct(hasBias: Bool) -> MatrixProduct? {
    guard isPointwise else { return nil }
    return MatrixProduct(
      batch: batch, m: outChannels, n: inHeight * inWidth, k: inChannels, sharesA: true,
      bias: hasBias ? .perRow : .none)
  }

  fileprivate var pointwiseBackwardInputProduct: MatrixProduct? {
    guard isPointwise else { return nil }
    return MatrixProduct(
      batch: batch, m: inChannels, n: inHeight * inWidth, k: outChannels, transposesA: true,
      sharesA: true)
  }
}

extension Conv2D: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    guard let geometry = try? geometry(inputs), device.architecture != .manyThreads else {
      return 0
    }
    if let product = geometry.pointwiseProduct(hasBias: inputs.count == 3) {
      return product.workspaceByteCount(on: device)
    }
    return PlaneConvolution(forward: geometry).workspaceByteCount(on: device)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let geometry = try geometry(x.map(\.type))
    let bias = x.count == 3 ? x[2] : nil
    if encoder.architecture == .manyThreads {
      try ImplicitGemmConvolution(geometry, .forward, on: encoder.device)
        .encode(x[1], x[0], bias: bias, into: y[0], encoder)
    } else if let product = geometry.pointwiseProduct(hasBias: bias != nil) {
      try product.encode(x[1], x[0], bias: bias, into: y[0], encoder)
    } else {
      try PlaneConvolution(forward: geometry)
        .encode(x[0], weight: x[1], bias: bias, into: y[0], encoder)
    }
  }
}

extension Conv2DBackwardInput: OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    guard let geometry = try? geometry(inputs), device.architecture != .manyThreads else {
      return 0
    }
    if let product = geometry.pointwiseBackwardInputProduct {
      return product.workspaceByteCount(on: device)
    }
    return PlaneConvolution(backwardInput: geometry).workspaceByteCount(on: device)
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let geometry = try geometry(x.map(\.type))
    if encoder.architecture == .manyThreads {
      try ImplicitGemmConvolution(geometry, .backwardInput, on: encoder.device)
        .encode(x[1], x[0], into: y[0], encoder)
    } else if let product = geometry.pointwiseBackwardInputProduct {
      try product.encode(x[1], x[0], into: y[0], encoder)
    } else {
      try PlaneConvolution(backwardInput: geometry)
        .encode(x[0], weight: x[1], bias: nil, into: y[0], encoder)
    }
  }
}

extension Conv2DBackwardWeight: OpenCLOperation {
  private static let biasSum = Reduce(.sum, axes: [0, 2, 3], keepsAxes: false)

  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int {
    guard let geometry = try? geometry(inputs) else { return 0 }
    let weights =
      device.architecture == .manyThreads
      ? ImplicitGemmConvolution(geometry, .backwardWeight, on: device).workspaceByteCount
      : PlaneConvolutionBackwardWeight(geometry, on: device).workspaceByteCount
    // The bias is summed after the weights are done, in the same memory.
    guard hasBias else { return weights }
    return max(
      weights,
      Self.biasSum.workspaceByteCount(inputs: [inputs[1]], outputs: [outputs[1]], on: device))
  }

  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    let geometry = try geometry(x.map(\.type))
    if encoder.architecture == .manyThreads {
      try ImplicitGemmConvolution(geometry, .backwardWeight, on: encoder.device)
        .encode(x[1], x[0], into: y[0], encoder)
    } else {
      try PlaneConvolutionBackwardWeight(geometry, on: encoder.device)
        .encode(x[0], x[1], into: y[0], encoder)
    }
    if hasBias { try Self.biasSum.encode([x[1]], [y[1]], in: encoder) }
  }
}
