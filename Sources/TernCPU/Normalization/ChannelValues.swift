import CMicrokernels
import TernCore
import TernGraph

/// Where the values of the channels of a tensor [N, C, *] are, cut into pieces that lie close together: some
/// pixels of a group of channels that stand side by side, or a plane of one channel.
///
/// The pieces depend on the tensor alone, so that what is added up piece by piece has the same bits however
/// many threads there are.
struct ChannelValues {
  /// Groups of channels, and how many channels each has; the last may have fewer.
  let groupCount: Int
  let groupSize: Int
  /// The channels, and those that are stored: a last block is padded.
  let channelCount: Int
  let storedChannelCount: Int
  /// Pieces of a group, and their pixels; the last may have fewer.
  let chunkCount: Int
  private let chunkPixels: Int
  private let pixels: Int
  /// Between pixels, groups and pieces.
  private let pixelStride: Int
  private let groupStride: Int
  private let chunkStride: Int
  private let isPlane: Bool

  /// The pixels of a piece where images follow each other without a gap.
  private static let pixelsOfPiece = 1024

  init(_ operand: Operand, _ context: CPUContext) throws {
    let shape = operand.shape
    let (images, plane) = (shape[0], shape.elementCount(in: 2..<shape.rank))
    channelCount = shape[1]
    let limit = Int(tern_batch_norm_width)
    guard let strides = try Self.strides(operand, plane, context) else {
      (groupCount, groupSize, storedChannelCount) = (channelCount, 1, channelCount)
      (chunkCount, chunkPixels, pixels) = (images, plane, images * plane)
      (pixelStride, groupStride, chunkStride) = (1, plane, channelCount * plane)
      isPlane = true
      return
    }
    isPlane = false
    groupSize = min(limit, strides.block == 0 ? channelCount : strides.blockSize)
    groupCount = (channelCount + groupSize - 1) / groupSize
    storedChannelCount = strides.block == 0 ? channelCount : groupCount * groupSize
    (pixelStride, groupStride) = (strides.pixel, strides.block == 0 ? groupSize : strides.block)
    pixels = images * plane
    let hasGaps = strides.batch != plane * strides.pixel
    chunkPixels = hasGaps ? plane : min(pixels, Self.pixelsOfPiece)
    chunkCount = (pixels + chunkPixels - 1) / chunkPixels
    chunkStride = hasGaps ? strides.batch : chunkPixels * strides.pixel
  }

  /// `nil` where the values of a channel lie in planes.
  private static func strides(_ operand: Operand, _ plane: Int, _ context: CPUContext) throws
    -> ChannelStrides?
  {
    if operand.shape.rank == 4 { return try ChannelStrides(operand, context) }
    guard plane == 1 else { return nil }
    let image: Shape = [operand.shape[0], operand.shape[1], 1, 1]
    return try ChannelStrides(Operand(TensorType(image)), context)
  }

  /// The values of a channel.
  var countPerChannel: Int { pixels }

  /// The pixels of a piece.
  func pixelCount(ofChunk chunk: Int) -> Int {
    min(chunkPixels, pixels - chunk * chunkPixels)
  }

  struct Piece {
    /// Where its first value is.
    let offset: Int
    let values: tern_channel_values
    let chunk: Int
    let firstChannel: Int
  }

  private func piece(_ chunk: Int, _ group: Int) -> Piece {
    let first = group * groupSize
    return Piece(
      offset: chunk * chunkStride + group * groupStride,
      values: tern_channel_values(
        pixels: pixelCount(ofChunk: chunk), stride: pixelStride,
        channels: Int32(min(groupSize, storedChannelCount - first)), is_plane: isPlane),
      chunk: chunk, firstChannel: first)
  }

  /// A step in which `first` is called for all pieces of a channel, then `combine` for the channel, then `second`
  /// for the pieces again.
  ///
  /// Where there are groups enough for the threads, a thread goes through one after the other, and finds in its
  /// cache what it reads again: the second time it begins with the last piece. Channels that lie side by side
  /// in memory take three loops over the whole tensor, each in the order of memory.
  func twice(
    _ threads: Threads, first: @escaping (Piece) -> Void, combine: @escaping (Int) -> Void,
    second: @escaping (Piece) -> Void
  ) -> Step {
    guard hasGroups(for: threads.count) else {
      let steps = [
        forEachPiece(threads, first), forEachChannel(threads, combine),
        forEachPiece(threads, second),
      ]
      return { for step in steps { try step() } }
    }
    let grain = max(1, Threads.elementwiseGrain / (pixels * groupSize))
    return threads.loop(groupCount, grain: grain) { groups in
      for group in groups {
        for chunk in 0..<chunkCount { first(piece(chunk, group)) }
        let channels = group * groupSize..<min((group + 1) * groupSize, channelCount)
        for channel in channels { combine(channel) }
        for chunk in (0..<chunkCount).reversed() { second(piece(chunk, group)) }
      }
    }
  }

  /// Whether a group's values lie together, and no thread has much more of them than another.
  private func hasGroups(for threadCount: Int) -> Bool {
    guard isPlane || pixelStride == groupSize else { return false }
    let most = (groupCount + threadCount - 1) / threadCount
    return 8 * most * threadCount <= 9 * groupCount
  }

  /// A step that calls `body` for every piece, in the order in which they lie in memory.
  private func forEachPiece(_ threads: Threads, _ body: @escaping (Piece) -> Void) -> Step {
    let grain = max(1, Threads.elementwiseGrain / (chunkPixels * groupSize))
    return threads.loop(chunkCount * groupCount, grain: grain) { range in
      for item in range {
        let (chunk, group) = item.quotientAndRemainder(dividingBy: groupCount)
        body(piece(chunk, group))
      }
    }
  }

  /// A step that calls `body` for every channel.
  private func forEachChannel(_ threads: Threads, _ body: @escaping (Int) -> Void) -> Step {
    threads.loop(channelCount, grain: max(1, Threads.elementwiseGrain / chunkCount)) { range in
      for channel in range { body(channel) }
    }
  }
}
