import CMicrokernels
import COneDNN
import TernCore
import TernGraph
import TernRuntime

/// A pass of a convolution.
enum ConvolutionPass { case forward, backwardInput, backwardWeight }

/// How a convolution's input and output are stored.
struct ConvolutionFormats: Hashable {
  let source: ChannelFormat
  let destination: ChannelFormat
  /// Whether the pass is computed by ``PairedConvolution``.
  let isPaired: Bool

  init(_ source: ChannelFormat, _ destination: ChannelFormat, isPaired: Bool = false) {
    self.source = source
    self.destination = destination
    self.isPaired = isPaired
  }
}

extension Conv2DGeometry {
  /// The formats in which oneDNN runs a pass, the fastest first, by measurement with AVX2 and AVX-512. They
  /// depend on the channels, so that neighbouring convolutions agree on the tensor between them.
  func candidateFormats(
    _ pass: ConvolutionPass, _ type: DataType = .float32, _ context: CPUContext
  ) -> [ConvolutionFormats] {
    let candidates = [
      favouriteFormats(pass, type, context), ConvolutionFormats(.channelsLast, .channelsLast),
      ConvolutionFormats(.dense, .dense),
    ].filter { $0 != ConvolutionFormats(.channelsLast, .channelsLast) || !packsChannels }
    if type != .float32 { return candidates }
    switch context.algorithm {
    // oneDNN multiplies matrices, the windows as their columns, where rows of planes are dense.
    case .im2col, .gemm, .implicitGEMM: return candidates.reversed()
    case .winograd where allowsWinograd:
      return [ConvolutionFormats(.blocked16, .blocked16)] + candidates
    case .winograd, .direct, .depthwise, nil: return candidates
    }
  }

  /// The algorithms to ask oneDNN for, the fastest first; the last there is on every processor.
  func algorithms(
    _ formats: ConvolutionFormats?, _ pass: ConvolutionPass, _ type: DataType, _ context: CPUContext
  ) -> [dnnl_alg_kind_t] {
    // oneDNN has Winograd's algorithm for float32 alone.
    if type != .float32 { return [dnnl_convolution_direct] }
    let isWinograd =
      switch context.algorithm {
      case nil:
        pass == .backwardWeight
          ? suitsWinograd : context.choice(self, pass) == ConvolutionCandidates.winograd
      case .winograd: allowsWinograd
      default: false
      }
    let isBlocked = formats == ConvolutionFormats(.blocked16, .blocked16)
    return (isWinograd && isBlocked ? [dnnl_convolution_winograd] : [])
      + [dnnl_convolution_direct]
  }

  private func favouriteFormats(
    _ pass: ConvolutionPass, _ type: DataType, _ context: CPUContext
  ) -> ConvolutionFormats {
    let isPaired =
      type == .float32 && ConvolutionCandidates.isPaired(context.choice(self, pass))
    let blocks = ChannelFormat.registerBlocks
    // An image: its one to three channels would fill a fraction of a block. oneDNN has kernels that
    // read planes and write blocks, but none that go the other way.
    if inChannels <= 3, groups == 1 {
      if pass == .backwardInput { return ConvolutionFormats(.dense, .dense) }
      if isPaired { return ConvolutionFormats(.dense, .blocked8, isPaired: true) }
      return blocks == .blocked8 && outChannels % 8 != 0
        ? ConvolutionFormats(.channelsLast, .channelsLast) : ConvolutionFormats(.dense, blocks)
    }
    // A few channels: one block would be mostly padding.
    if pass == .backwardInput, isPaired {
      return ConvolutionFormats(.blocked8, .blocked16, isPaired: true)
    }
    let isNarrow = max(inChannels, outChannels) <= 16 && min(inChannels, outChannels) < 16
    let size = blocks.blockSize!
    let cutsBlocks = inChannels / groups % size != 0 || outChannels / groups % size != 0
    // With AVX2 oneDNN has kernels for blocks that are whole, with AVX-512 for others too.
    let needsWholeBlocks = groups > 1 || blocks == .blocked8
    if isNarrow || needsWholeBlocks && !isDepthwise && cutsBlocks {
      return ConvolutionFormats(.channelsLast, .channelsLast)
    }
    return ConvolutionFormats(blocks, blocks)
  }

  /// Whether oneDNN (2.6) packs the pixels that a window of one pixel leaves out of others, for each thread
  /// into room for exactly as many channels as there are, by vectors of eight or sixteen: what stands over the
  /// end goes into the next thread's room, and gradients of weights come out wrong.
  private var packsChannels: Bool {
    kernelHeight == 1 && kernelWidth == 1 && inChannels % 16 != 0
      && (window.strideHeight > 1 || window.strideWidth > 1)
  }

  private var isDepthwise: Bool { groups == inChannels && groups == outChannels }

  /// Whether oneDNN's Winograd kernels cover the shape; they take AVX-512.
  var allowsWinograd: Bool {
    let w = window
    return tern_has_avx512() && kernelHeight == 3 && kernelWidth == 3
      && w.strideHeight == 1 && w.strideWidth == 1 && w.dilationHeight == 1 && w.dilationWidth == 1
      && w.paddingHeight <= 1
      && w.paddingWidth <= 1 && groups == 1 && min(inChannels, outChannels) >= 16
  }
}
