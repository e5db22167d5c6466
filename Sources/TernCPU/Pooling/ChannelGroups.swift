/// The channels of every image, cut into groups that are side by side in both of two tensors.
struct ChannelGroups {
  private let input: ChannelStrides
  private let output: ChannelStrides
  private let batch: Int
  private let size: Int
  private let perImage: Int

  init(batch: Int, input: ChannelStrides, output: ChannelStrides) {
    self.input = input
    self.output = output
    self.batch = batch
    size = min(input.blockSize, output.blockSize)
    perImage = (input.channels + size - 1) / size
  }

  /// One group of one image.
  struct Group {
    /// Where its first pixel starts.
    let input: Int
    let output: Int
    /// The elements it takes in every pixel, padding included.
    let inputCount: Int
    let outputCount: Int
  }

  /// A step that calls `body` for every group.
  ///
  /// - Parameter elements: how many elements of work a channel of a group is.
  func step(_ threads: Threads, elements: Int, _ body: @escaping (Group) -> Void) -> Step {
    let grain = max(1, Threads.elementwiseGrain / (elements * size))
    return threads.loop(batch * perImage, grain: grain) { range in
      for item in range {
        let (image, index) = item.quotientAndRemainder(dividingBy: perImage)
        let first = index * size
        let count = min(size, input.channels - first)
        body(
          Group(
            input: input.offset(image, first), output: output.offset(image, first),
            inputCount: input.stored(count), outputCount: output.stored(count)))
      }
    }
  }
}
