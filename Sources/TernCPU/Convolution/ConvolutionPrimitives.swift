import COneDNN
import TernCore
import TernGraph

/// One convolution and its three passes, with the formats of its tensors chosen.
struct ConvolutionPrimitives {
  enum Pass { case forward, backwardInput, backwardWeight }

  let geometry: Conv2DGeometry
  let context: CPUContext
  /// The convolution as one of twice the channels, where that is how it is computed.
  let paired: PairedConvolution?
  private let formats: (source: ChannelFormat, destination: ChannelFormat)
  private let source: MemoryDescriptor
  private let destination: MemoryDescriptor
  private let window: tern_dnnl_window
  /// What oneDNN is asked for, the fastest first.
  private let algorithms: [dnnl_alg_kind_t]

  /// - Parameters:
  ///   - source, destination: how the tensors are stored; the fastest way where `nil`.
  init(
    _ geometry: Conv2DGeometry, _ context: CPUContext, pass: Pass = .forward,
    source: Operand? = nil, destination: Operand? = nil
  ) throws {
    self.geometry = geometry
    self.context = context
    let formats = geometry.formats(pass)
    self.formats = formats
    let isGiven = (source ?? destination) != nil
    let sourceLayout = try formats.source.layout(geometry.inputShape, context)
    let destinationLayout = try formats.destination.layout(geometry.outputShape, context)
    let isFavourite =
      !isGiven || (source?.layout == sourceLayout && destination?.layout == destinationLayout)
    // Several formats may be one layout; oneDNN wants to hear the pair that belongs together.
    self.source =
      isFavourite
      ? try formats.source.descriptor(geometry.inputShape) : try context.descriptor(source!)
    self.destination =
      isFavourite
      ? try formats.destination.descriptor(geometry.outputShape)
      : try context.descriptor(destination!)
    paired =
      isFavourite && formats.destination == .blocked8
      ? PairedConvolution(geometry, context) : nil
    algorithms =
      (isFavourite && geometry.suitsWinograd ? [dnnl_convolution_winograd] : [])
      + [dnnl_convolution_direct]
    let w = geometry.window
    window = tern_dnnl_window(
      strides: (Int64(w.strideHeight), Int64(w.strideWidth)),
      dilations: (Int64(w.dilationHeight - 1), Int64(w.dilationWidth - 1)),
      padding_before: (Int64(w.paddingHeight), Int64(w.paddingWidth)),
      padding_after: (Int64(w.paddingHeight), Int64(w.paddingWidth)))
  }

  var layouts: (source: Layout, destination: Layout) {
    get throws {
      (
        try formats.source.layout(geometry.inputShape, context),
        try formats.destination.layout(geometry.outputShape, context)
      )
    }
  }

  /// The layout in which a pass reads or writes the weights fastest.
  func weightLayout(_ pass: Pass) throws -> Layout {
    if paired != nil { return .dense }
    let descriptor =
      switch pass {
      case .forward: try forward(weights: nil, hasBias: true).descriptor(of: .weights)
      case .backwardInput: try backwardInput(weights: nil).descriptor(of: .weights)
      case .backwardWeight:
        try backwardWeight(weights: nil, hasBias: true).descriptor(of: .weightsGradient)
      }
    return try context.layouts.layout(for: descriptor)
  }

  /// The weights' extents as oneDNN wants them: with an axis for the groups where there are several.
  private var weightShape: Shape {
    let g = geometry
    guard g.groups > 1 else { return g.weightShape }
    return [
      g.groups, g.outChannels / g.groups, g.inChannels / g.groups, g.kernelHeight, g.kernelWidth,
    ]
  }

  func weights(_ operand: Operand) throws -> MemoryDescriptor {
    operand.layout == .dense
      ? try MemoryDescriptor(dense: TensorType(weightShape)) : try context.descriptor(operand)
  }

  private func bias(_ hasBias: Bool) throws -> MemoryDescriptor {
    // A zero descriptor stands for no bias.
    hasBias
      ? try MemoryDescriptor(dense: TensorType([geometry.outChannels]))
      : MemoryDescriptor(dnnl_memory_desc_t())
  }

  /// A primitive of the first algorithm there is on this processor.
  private func primitive(
    _ call: String, postOperations: [PostOperation] = [],
    _ create: (
      dnnl_alg_kind_t, UnsafeMutablePointer<dnnl_primitive_desc_t?>, dnnl_engine_t,
      dnnl_primitive_attr_t
    ) throws -> dnnl_status_t
  ) throws -> PrimitiveDescriptor {
    for algorithm in algorithms.dropLast() {
      if let descriptor = try? PrimitiveDescriptor(
        call, context.engine, postOperations: postOperations,
        create: { try create(algorithm, $0, $1, $2) })
      {
        return descriptor
      }
    }
    return try PrimitiveDescriptor(
      call, context.engine, postOperations: postOperations,
      create: { try create(algorithms.last!, $0, $1, $2) })
  }

  /// - Parameter weights: the format of the weights, the fastest where `nil`.
  func forward(
    weights: MemoryDescriptor?, hasBias: Bool, _ postOperations: [PostOperation] = []
  ) throws -> PrimitiveDescriptor {
    try primitive("convolution_forward", postOperations: postOperations) {
      var (x, y, window) = (source.raw, destination.raw, window)
      var w = try (weights ?? .any(weightShape)).raw
      var bias = try bias(hasBias).raw
      return tern_dnnl_convolution_forward($1, $2, $3, $0, &x, &w, &bias, &y, &window)
    }
  }

  func backwardInput(weights: MemoryDescriptor?) throws -> PrimitiveDescriptor {
    let hint = try forward(weights: nil, hasBias: false)
    return try primitive("convolution_backward_data") {
      var (dx, dy, window) = (source.raw, destination.raw, window)
      var w = try (weights ?? .any(weightShape)).raw
      return tern_dnnl_convolution_backward_data(
        $1, $2, $3, $0, &dx, &w, &dy, &window, hint.handle)
    }
  }

  func backwardWeight(weights: MemoryDescriptor?, hasBias: Bool) throws -> PrimitiveDescriptor {
    let hint = try forward(weights: nil, hasBias: false)
    return try primitive("convolution_backward_weights") {
      var (x, dy, window) = (source.raw, destination.raw, window)
      var dw = try (weights ?? .any(weightShape)).raw
      var bias = try bias(hasBias).raw
      return tern_dnnl_convolution_backward_weights(
        $1, $2, $3, $0, &x, &dw, &bias, &dy, &window, hint.handle)
    }
  }
}

extension Conv2DGeometry {
  /// The formats in which oneDNN convolves fastest, by measurement with AVX-512. They depend on the
  /// channels, so that neighbouring convolutions agree on the tensor between them.
  fileprivate func formats(_ pass: ConvolutionPrimitives.Pass)
    -> (source: ChannelFormat, destination: ChannelFormat)
  {
    // An image: its one to three channels would fill a fraction of a block. oneDNN has kernels that
    // read planes and write blocks, but none that go the other way.
    if inChannels <= 3, groups == 1 {
      if pass == .backwardInput { return (.dense, .dense) }
      return (.dense, PairedConvolution.fits(self) ? .blocked8 : .blocked16)
    }
    // A few channels: one block would be mostly padding.
    if max(inChannels, outChannels) <= 16, min(inChannels, outChannels) < 16 {
      return (.channelsLast, .channelsLast)
    }
    if groups > 1, !isDepthwise, inChannels / groups % 16 != 0 || outChannels / groups % 16 != 0 {
      return (.channelsLast, .channelsLast)
    }
    return (.blocked16, .blocked16)
  }

  /// Whether Winograd's algorithm pays: F(4×4, 3×3) takes a quarter of the multiplications, but
  /// transforms all tensors. Its rounding error is about 10⁻⁵ of the output's standard deviation.
  ///
  /// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
  fileprivate var suitsWinograd: Bool {
    let w = window
    // Transforming the weights costs as much as this many tiles.
    let tiles = batch * ((outHeight + 3) / 4) * ((outWidth + 3) / 4)
    return kernelHeight == 3 && kernelWidth == 3 && w.strideHeight == 1 && w.strideWidth == 1
      && w.dilationHeight == 1 && w.dilationWidth == 1 && w.paddingHeight <= 1
      && w.paddingWidth <= 1 && groups == 1 && min(inChannels, outChannels) >= 64 && tiles >= 128
  }

  private var isDepthwise: Bool { groups == inChannels && groups == outChannels }
}
