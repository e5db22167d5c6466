import COneDNN
import TernCore
import TernGraph

/// A convolution of an image to at most eight channels, computed as one to sixteen.
///
/// oneDNN's kernels compute sixteen channels at a time, however few there are. Eight channels of two
/// neighbouring columns fill a block as well: in `nChw8c` they are stored side by side, so the
/// output [N, O, OH, OW] is at the same time an output [N, 16, OH, OW/2] in `nChw16c`, of a
/// convolution with twice the horizontal stride and these weights for channel 8·d + o:
///
///     w'[8·d + o, c, u, v] = w[o, c, u, v − d·stride], zero outside, for columns d = 0, 1
///
/// The kernel is wider by one stride, and still most of the lanes that were idle now work.
///
/// The gradient of a convolution's input is a convolution too, of the output's gradient with the
/// weights mirrored; where the input has at most eight channels, it is computed the same way.
struct PairedConvolution {
  private let geometry: Conv2DGeometry
  private let context: CPUContext
  private let sourceFormat: ChannelFormat
  /// Whether the weights are given as [C, O, KH, KW], to be read from their last element on.
  private let mirrorsWeights: Bool

  private static let columns = 2
  private static let channelsPerColumn = 8
  private static let channels = columns * channelsPerColumn

  static func fits(_ geometry: Conv2DGeometry) -> Bool {
    geometry.groups == 1 && geometry.outChannels <= channelsPerColumn
      && geometry.outWidth % columns == 0 && geometry.window.dilationWidth == 1
  }

  /// - Precondition: ``fits(_:)``.
  init(_ geometry: Conv2DGeometry, _ context: CPUContext) {
    self.geometry = geometry
    self.context = context
    sourceFormat = .dense
    mirrorsWeights = false
  }

  /// The convolution that computes the gradient of `geometry`'s input; `nil` where it does not fit.
  init?(inputGradientOf geometry: Conv2DGeometry, _ context: CPUContext) {
    guard let gradient = Self.inputGradient(of: geometry) else { return nil }
    self.geometry = gradient
    self.context = context
    sourceFormat = .blocked16
    mirrorsWeights = true
  }

  /// The geometry of that convolution.
  static func inputGradient(of geometry: Conv2DGeometry) -> Conv2DGeometry? {
    let w = geometry.window
    guard w.strideHeight == 1, w.strideWidth == 1, w.dilationHeight == 1, w.dilationWidth == 1,
      geometry.groups == 1, geometry.outChannels % 16 == 0,
      w.paddingHeight < geometry.kernelHeight, w.paddingWidth < geometry.kernelWidth,
      let gradient = try? Operations.Conv2D(
        ConvolutionWindow(padding: [
          geometry.kernelHeight - 1 - w.paddingHeight, geometry.kernelWidth - 1 - w.paddingWidth,
        ])
      ).geometry([
        TensorType(geometry.outputShape),
        TensorType([
          geometry.inChannels, geometry.outChannels, geometry.kernelHeight, geometry.kernelWidth,
        ]),
      ]), fits(gradient)
    else { return nil }
    return gradient
  }

  private var kernelWidth: Int { geometry.kernelWidth + geometry.window.strideWidth }
  private var weightShape: Shape {
    [Self.channels, geometry.inChannels, geometry.kernelHeight, kernelWidth]
  }

  private var window: tern_dnnl_window {
    let (g, w) = (geometry, geometry.window)
    let span = (g.outWidth - 1) * w.strideWidth + g.kernelWidth
    return tern_dnnl_window(
      strides: (Int64(w.strideHeight), Int64(Self.columns * w.strideWidth)),
      dilations: (Int64(w.dilationHeight - 1), 0),
      padding_before: (Int64(w.paddingHeight), Int64(w.paddingWidth)),
      padding_after: (Int64(w.paddingHeight), Int64(max(0, span - g.inWidth - w.paddingWidth))))
  }

  private func source(_ g: Conv2DGeometry) throws -> MemoryDescriptor {
    try sourceFormat.descriptor(g.inputShape)
  }

  private func destination(_ g: Conv2DGeometry) throws -> MemoryDescriptor {
    try ChannelFormat.blocked16.descriptor(
      [g.batch, Self.channels, g.outHeight, g.outWidth / Self.columns])
  }

  private func forwardPrimitive(
    _ geometry: Conv2DGeometry, _ postOperations: [PostOperation] = []
  ) throws -> PrimitiveDescriptor {
    try PrimitiveDescriptor(
      "convolution_forward", context.engine, postOperations: postOperations
    ) {
      var (x, w, y) = (
        try source(geometry).raw, try MemoryDescriptor.any(weightShape).raw,
        try destination(geometry).raw
      )
      var bias = try MemoryDescriptor(dense: TensorType([Self.channels])).raw
      var window = window
      return tern_dnnl_convolution_forward(
        $0, $1, $2, dnnl_convolution_direct, &x, &w, &bias, &y, &window)
    }
  }

  private func backwardPrimitive(_ geometry: Conv2DGeometry) throws -> PrimitiveDescriptor {
    let hint = try forwardPrimitive(geometry)
    return try PrimitiveDescriptor("convolution_backward_weights", context.engine) {
      var (x, w, y) = (
        try source(geometry).raw, try MemoryDescriptor.any(weightShape).raw,
        try destination(geometry).raw
      )
      var bias = try MemoryDescriptor(dense: TensorType([Self.channels])).raw
      var window = window
      return tern_dnnl_convolution_backward_weights(
        $0, $1, $2, dnnl_convolution_direct, &x, &w, &bias, &y, &window, hint.handle)
    }
  }

  func forward(hasBias: Bool, _ postOperations: [PostOperation]) throws -> Lowering {
    let descriptor = try forwardPrimitive(geometry, postOperations)
    let weights = descriptor.descriptor(of: .weights)
    let places = places(weights)
    let scratch = Scratch(behind: descriptor.scratchpadByteCount, weights)
    return Lowering(
      workspaceByteCount: scratch.byteCount,
      implementation: Lowering.name(
        ConvolutionCandidates.paired, calling: descriptor.implementation)
    ) { addresses in
      let paired = addresses.workspace(at: scratch.weights)
      let pairedBias = addresses.workspace(at: scratch.bias)
      let primitive = try Primitive(
        descriptor,
        [
          (.source, addresses.inputs[0]), (.weights, UnsafeMutableRawPointer(paired)),
          (.bias, UnsafeMutableRawPointer(pairedBias)), (.destination, addresses.outputs[0]),
        ], scratchpad: addresses.workspace)
      let w = addresses.input(1)
      let bias = hasBias ? addresses.input(2) : nil
      return {
        paired.update(repeating: 0, count: weights.byteCount / 4)
        for (index, (first, second)) in places.enumerated() {
          paired[first] = w[index]
          paired[second] = w[index]
        }
        pairedBias.update(repeating: 0, count: Self.channels)
        if let bias {
          for o in 0..<geometry.outChannels {
            pairedBias[o] = bias[o]
            pairedBias[Self.channelsPerColumn + o] = bias[o]
          }
        }
        try primitive.execute()
      }
    }
  }

  /// - Parameter isCut: whether the batch is.
  func backwardWeight(hasBias: Bool, isCut: Bool) throws -> Lowering {
    let parts = try WeightGradientParts(geometry, context, isCut: isCut) {
      try backwardPrimitive(geometry.with(batch: $0))
    }
    let weights = parts.weights
    let places = places(weights)
    let scratch = Scratch(
      behind: parts.workspaceByteCount(biasCount: Self.channels), weights)
    return Lowering(
      workspaceByteCount: scratch.byteCount,
      implementation: Lowering.name(
        isCut ? ConvolutionCandidates.pairedParts : ConvolutionCandidates.paired,
        calling: parts.implementation)
    ) { addresses in
      let paired = addresses.workspace(at: scratch.weights)
      let pairedBias = addresses.workspace(at: scratch.bias)
      let compute = try parts.bind(
        source: addresses.inputs[0], destinationGradient: addresses.inputs[1], weights: paired,
        bias: pairedBias, biasCount: Self.channels, workspace: addresses.workspace)
      let dw = addresses.output(0)
      let bias = hasBias ? addresses.output(1) : nil
      return {
        try compute()
        for (index, (first, second)) in places.enumerated() {
          dw[index] = paired[first] + paired[second]
        }
        if let bias {
          for o in 0..<geometry.outChannels {
            bias[o] = pairedBias[o] + pairedBias[Self.channelsPerColumn + o]
          }
        }
      }
    }
  }

  /// Where each weight, taken row by row, stands among the paired ones: once per column.
  private func places(_ paired: MemoryDescriptor) -> [(Int, Int)] {
    let g = geometry
    var result: [(Int, Int)] = []
    func range(_ count: Int) -> [Int] {
      mirrorsWeights ? (0..<count).reversed() : Array(0..<count)
    }
    // Row by row as the weights are given: mirrored ones have their input channels outermost.
    let (outer, inner) =
      mirrorsWeights ? (g.inChannels, g.outChannels) : (g.outChannels, g.inChannels)
    for a in 0..<outer {
      for b in 0..<inner {
        let (o, c) = mirrorsWeights ? (b, a) : (a, b)
        for u in range(g.kernelHeight) {
          for v in range(g.kernelWidth) {
            result.append(
              (
                paired.offset(of: [o, c, u, v]),
                paired.offset(of: [Self.channelsPerColumn + o, c, u, v + g.window.strideWidth])
              ))
          }
        }
      }
    }
    return result
  }

  /// Where the paired weights and bias are in the workspace: behind what oneDNN needs itself.
  private struct Scratch {
    let weights: Int
    let bias: Int
    let byteCount: Int

    init(behind byteCount: Int, _ weights: MemoryDescriptor) {
      func aligned(_ count: Int) -> Int { (count + 63) / 64 * 64 }
      self.weights = aligned(byteCount)
      bias = self.weights + aligned(weights.byteCount)
      self.byteCount = bias + aligned(PairedConvolution.channels * 4)
    }
  }
}
