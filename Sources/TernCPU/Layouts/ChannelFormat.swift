import CMicrokernels
import COneDNN
import TernCore
import TernGraph

/// How a tensor [N, C, H, W] is stored.
enum ChannelFormat: Hashable {
  /// Row by row, a plane per channel.
  case dense
  /// All channels of a pixel side by side.
  case channelsLast
  /// Planes of blocks of 8 channels, one AVX register; the last block is padded with zeros.
  case blocked8
  /// Planes of blocks of 16 channels, one AVX-512 register; the last block is padded with zeros.
  case blocked16

  /// Blocks of as many channels as a register of this processor holds; oneDNN's fastest kernels take them.
  static let registerBlocks: ChannelFormat = tern_has_avx512() ? .blocked16 : .blocked8

  /// The channels in a block; `nil` where there are no blocks.
  var blockSize: Int? {
    switch self {
    case .dense, .channelsLast: nil
    case .blocked8: 8
    case .blocked16: 16
    }
  }

  private var tag: dnnl_format_tag_t {
    switch self {
    case .dense: dnnl_nchw
    case .channelsLast: dnnl_nhwc
    case .blocked8: dnnl_nChw8c
    case .blocked16: dnnl_nChw16c
    }
  }

  func descriptor(_ shape: Shape) throws -> MemoryDescriptor {
    try MemoryDescriptor(shape, tag: tag)
  }

  /// The layout of a tensor in this format. Where two formats put every element at the same place,
  /// they have the same layout.
  func layout(_ shape: Shape, _ context: CPUContext) throws -> Layout {
    try context.layouts.layout(for: canonical(shape).descriptor(shape))
  }

  private func canonical(_ shape: Shape) -> ChannelFormat {
    let channels = shape[1]
    let isSinglePixel = shape[2] * shape[3] == 1
    switch self {
    case .dense: return .dense
    case .channelsLast:
      if channels == 1 || isSinglePixel { return .dense }
      return switch channels {
      case 8: .blocked8
      case 16: .blocked16
      default: .channelsLast
      }
    case .blocked8, .blocked16:
      return isSinglePixel && channels % blockSize! == 0 ? .dense : self
    }
  }

  /// The format of a value, `nil` where it has another than these.
  init?(_ operand: Operand, _ context: CPUContext) throws {
    guard operand.shape.rank == 4 else { return nil }
    if operand.layout == .dense {
      self = .dense
      return
    }
    let descriptor = try context.descriptor(Operand(TensorType(operand.shape), operand.layout))
    for format in [ChannelFormat.blocked16, .blocked8, .channelsLast]
    where try format.descriptor(operand.shape) == descriptor {
      self = format
      return
    }
    return nil
  }
}

/// Where the channels of a pixel are, for a tensor [N, C, H, W] whose channels are innermost.
struct ChannelStrides: Hashable {
  /// Between images.
  let batch: Int
  /// Between blocks of channels.
  let block: Int
  /// Between neighbouring pixels of a row; rows follow each other without a gap.
  let pixel: Int
  /// The channels side by side.
  let blockSize: Int
  let channels: Int

  /// `nil` where the channels are not innermost.
  init?(_ operand: Operand, _ context: CPUContext) throws {
    guard let format = try ChannelFormat(operand, context) else { return nil }
    let shape = operand.shape
    let pixels = shape[2] * shape[3]
    channels = shape[1]
    switch format {
    case .dense where pixels > 1 && channels > 1: return nil
    case .dense, .channelsLast:
      (batch, block, pixel, blockSize) = (pixels * channels, 0, channels, channels)
    case .blocked8, .blocked16:
      let size = format.blockSize!
      let padded = (channels + size - 1) / size * size
      (batch, block, pixel, blockSize) = (pixels * padded, pixels * size, size, size)
    }
  }

  /// The elements that a group of `count` channels takes in each pixel: a last block is padded.
  func stored(_ count: Int) -> Int {
    block == 0 ? count : (count + blockSize - 1) / blockSize * blockSize
  }

  /// Where channel `channel` of the first pixel of image `image` is.
  @inline(__always)
  func offset(_ image: Int, _ channel: Int) -> Int {
    blockSize == channels
      ? image &* batch &+ channel
      : image &* batch &+ (channel / blockSize) &* block &+ channel % blockSize
  }
}
