import COneDNN
import TernCore
import TernGraph

/// One pass of a convolution, with the formats of its tensors chosen.
struct ConvolutionPrimitives {
  private let geometry: Conv2DGeometry
  private let pass: ConvolutionPass
  /// The elements of all tensors but bias and gradients of weights, which are float32.
  private let type: DataType
  private let context: CPUContext
  private let source: MemoryDescriptor
  private let destination: MemoryDescriptor
  /// `nil` where the tensors come in others than these.
  let formats: ConvolutionFormats?
  private let window: tern_dnnl_window
  /// What oneDNN is asked for, the fastest first.
  private let algorithms: [dnnl_alg_kind_t]
  /// The convolution as one of twice the channels, where that is how it is computed.
  let paired: PairedConvolution?

  private init(
    _ geometry: Conv2DGeometry, _ pass: ConvolutionPass, _ type: DataType, _ context: CPUContext,
    source: MemoryDescriptor, destination: MemoryDescriptor, formats: ConvolutionFormats?,
    paired: PairedConvolution? = nil
  ) {
    self.geometry = geometry
    self.pass = pass
    self.type = type
    self.context = context
    self.source = source.with(type)
    self.destination = destination.with(type)
    self.paired = paired
    self.formats = formats
    algorithms = geometry.algorithms(formats, pass, type, context)
    let w = geometry.window
    window = tern_dnnl_window(
      strides: (Int64(w.strideHeight), Int64(w.strideWidth)),
      dilations: (Int64(w.dilationHeight - 1), Int64(w.dilationWidth - 1)),
      padding_before: (Int64(w.paddingHeight), Int64(w.paddingWidth)),
      padding_after: (Int64(w.paddingHeight), Int64(w.paddingWidth)))
  }

  private init(
    _ geometry: Conv2DGeometry, _ pass: ConvolutionPass, _ type: DataType, _ context: CPUContext,
    _ formats: ConvolutionFormats
  ) throws {
    self.init(
      geometry, pass, type, context, source: try formats.source.descriptor(geometry.inputShape),
      destination: try formats.destination.descriptor(geometry.outputShape),
      formats: formats,
      paired: Self.paired(geometry, pass, context, formats))
  }

  private static func paired(
    _ geometry: Conv2DGeometry, _ pass: ConvolutionPass, _ context: CPUContext,
    _ formats: ConvolutionFormats
  ) -> PairedConvolution? {
    guard formats.isPaired else { return nil }
    return pass == .backwardInput
      ? PairedConvolution(inputGradientOf: geometry, context) : PairedConvolution(geometry, context)
  }

  /// The pass on tensors stored as they are given.
  init(
    _ geometry: Conv2DGeometry, _ pass: ConvolutionPass, _ context: CPUContext, source: Operand,
    destination: Operand
  ) throws {
    // Several formats may be one layout, such as a block of 16 channels and their pixels one behind the other;
    // oneDNN wants to hear the pair that belongs together, and may have kernels for one of them only.
    let type = source.type.dataType
    let fitting = try geometry.candidateFormats(pass, type, context).filter {
      let layouts = try $0.layouts(geometry, context)
      return layouts.source == source.layout && layouts.destination == destination.layout
    }
    let primitives = try fitting.map {
      try ConvolutionPrimitives(geometry, pass, type, context, $0)
    }
    if let best = try primitives.first(where: { try !$0.isReference }) ?? primitives.first {
      self = best
      return
    }
    self.init(
      geometry, pass, type, context, source: try context.descriptor(source),
      destination: try context.descriptor(destination), formats: nil)
  }

  /// The layouts of a pass's tensors with which it runs fastest.
  static func favouriteLayouts(
    _ geometry: Conv2DGeometry, _ pass: ConvolutionPass, _ type: DataType, _ context: CPUContext
  ) throws -> (source: Layout, destination: Layout, weights: Layout) {
    let candidates = geometry.candidateFormats(pass, type, context)
    var chosen = candidates[0]
    var primitives = try ConvolutionPrimitives(geometry, pass, type, context, chosen)
    for formats in candidates.dropFirst() {
      if try !primitives.isReference { break }
      chosen = formats
      primitives = try ConvolutionPrimitives(geometry, pass, type, context, chosen)
    }
    let layouts = try chosen.layouts(geometry, context)
    return (layouts.source, layouts.destination, try primitives.weightLayout())
  }

  /// Whether oneDNN has nothing for the formats but its reference, a thousand times slower.
  private var isReference: Bool {
    get throws {
      if paired != nil { return false }
      return try descriptor(weights: nil, hasBias: true).implementation.hasPrefix("ref")
    }
  }

  /// The layout in which the pass reads or writes the weights fastest.
  private func weightLayout() throws -> Layout {
    if paired != nil { return .dense }
    return try context.layouts.layout(
      for: pass == .backwardWeight
        ? weightGradient(
          nil, hasBias: true, isCut: weightGradientChoice() == ConvolutionCandidates.parts
        )
        .weights
        : descriptor(weights: nil, hasBias: true).descriptor(of: .weights))
  }

  /// What computes the gradient of the weights with the tensors as they are stored.
  ///
  /// - Parameter hasTiles: whether Tern's own tiles can.
  func weightGradientChoice(hasTiles: Bool = false) -> String {
    let problem = geometry.candidates(.backwardWeight, type, context) { name in
      switch name {
      case ConvolutionCandidates.tiles: hasTiles
      case ConvolutionCandidates.parts: paired == nil && formats != nil
      case ConvolutionCandidates.library: paired == nil
      default: paired != nil
      }
    }
    return context.candidates.choice(of: problem).name
  }

  /// The gradient of weights stored as they are given.
  ///
  /// - Parameter isCut: whether the batch is.
  func weightGradient(weights: Operand, hasBias: Bool, isCut: Bool) throws -> WeightGradientParts {
    try weightGradient(format(of: weights), hasBias: hasBias, isCut: isCut)
  }

  /// - Parameter weights: the format of the weights, the fastest where `nil`.
  private func weightGradient(_ weights: MemoryDescriptor?, hasBias: Bool, isCut: Bool) throws
    -> WeightGradientParts
  {
    try WeightGradientParts(geometry, context, isCut: isCut) { batch in
      let part =
        batch == geometry.batch
        ? self
        : try ConvolutionPrimitives(geometry.with(batch: batch), pass, type, context, formats!)
      return try part.descriptor(weights: weights, hasBias: hasBias)
    }
  }

  /// What oneDNN's own kernels are called among the candidates.
  var libraryName: String {
    algorithms.count > 1 ? ConvolutionCandidates.winograd : ConvolutionCandidates.library
  }

  /// The weights' extents as oneDNN wants them: with an axis for the groups where there are several.
  private var weightShape: Shape {
    let g = geometry
    guard g.groups > 1 else { return g.weightShape }
    return [
      g.groups, g.outChannels / g.groups, g.inChannels / g.groups, g.kernelHeight, g.kernelWidth,
    ]
  }

  /// The primitive for weights stored as they are given.
  func descriptor(
    weights: Operand, hasBias: Bool, _ postOperations: [PostOperation] = []
  ) throws -> PrimitiveDescriptor {
    try descriptor(weights: format(of: weights), hasBias: hasBias, postOperations)
  }

  private func format(of weights: Operand) throws -> MemoryDescriptor {
    weights.layout == .dense
      ? try MemoryDescriptor(dense: TensorType(weightShape, weights.type.dataType))
      : try context.descriptor(weights)
  }

  /// - Parameter weights: the format of the weights, the fastest where `nil`.
  private func descriptor(
    weights: MemoryDescriptor?, hasBias: Bool, _ postOperations: [PostOperation] = []
  ) throws -> PrimitiveDescriptor {
    if pass == .forward { return try forward(weights, hasBias, postOperations) }
    let hint = try forward(nil, false, [])
    return try primitive("convolution_backward") {
      var (x, y, window) = (source.raw, destination.raw, window)
      var w = try (weights ?? .any(weightShape, pass == .backwardInput ? type : .float32)).raw
      if pass == .backwardInput {
        return tern_dnnl_convolution_backward_data(
          $1, $2, $3, $0, &x, &w, &y, &window, hint.handle)
      }
      var bias = try bias(hasBias).raw
      return tern_dnnl_convolution_backward_weights(
        $1, $2, $3, $0, &x, &w, &bias, &y, &window, hint.handle)
    }
  }

  private func forward(
    _ weights: MemoryDescriptor?, _ hasBias: Bool, _ postOperations: [PostOperation]
  ) throws -> PrimitiveDescriptor {
    try primitive("convolution_forward", postOperations) {
      var (x, y, window) = (source.raw, destination.raw, window)
      var w = try (weights ?? .any(weightShape, type)).raw
      var bias = try bias(hasBias).raw
      return tern_dnnl_convolution_forward($1, $2, $3, $0, &x, &w, &bias, &y, &window)
    }
  }

  private func bias(_ hasBias: Bool) throws -> MemoryDescriptor {
    // A zero descriptor stands for no bias.
    hasBias
      ? try MemoryDescriptor(dense: TensorType([geometry.outChannels]))
      : MemoryDescriptor(dnnl_memory_desc_t())
  }

  /// A primitive of the first algorithm there is on this processor.
  private func primitive(
    _ call: String, _ postOperations: [PostOperation] = [],
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
}

extension ConvolutionFormats {
  fileprivate func layouts(_ geometry: Conv2DGeometry, _ context: CPUContext) throws
    -> (source: Layout, destination: Layout)
  {
    (
      try source.layout(geometry.inputShape, context),
      try destination.layout(geometry.outputShape, context)
    )
  }
}
