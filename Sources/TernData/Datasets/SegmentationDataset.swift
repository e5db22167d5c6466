import TernCore

/// Samples held in memory with a class for every pixel.
public final class SegmentationDataset: Dataset {
  private let images: InMemoryDataset
  private let masks: [UInt8]

  /// - Parameter masks: the class of each pixel, [N, H, W].
  /// - Precondition: `pixels` [N, C, H, W] and `masks` hold as many samples, and every class has a
  ///   name.
  public init(pixels: [UInt8], masks: [UInt8], sampleShape: Shape, classNames: [String]) {
    precondition(sampleShape.rank == 3 && pixels.count == masks.count * sampleShape[0])
    precondition(masks.allSatisfy { $0 < classNames.count })
    images = InMemoryDataset(
      pixels: pixels,
      labels: [UInt8](repeating: 0, count: pixels.count / sampleShape.elementCount),
      sampleShape: sampleShape, classNames: classNames)
    self.masks = masks
  }

  public var count: Int { images.count }
  public var sampleShape: Shape { images.sampleShape }
  public var classNames: [String] { images.classNames }
  public var targetType: TensorType { TensorType([sampleShape[1], sampleShape[2]], .int32) }

  /// The class of most pixels, the first of equals.
  public func label(_ index: Int) -> Int32 {
    var counts = [Int](repeating: 0, count: classNames.count)
    for pixel in mask(index) { counts[Int(pixel)] += 1 }
    return Int32(counts.firstIndex(of: counts.max()!)!)
  }

  public func traits(_ index: Int) -> [UInt8] { images.traits(index) + mask(index) }

  public func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) {
    let destination = destination.assumingMemoryBound(to: Int32.self)
    for (i, pixel) in mask(index).enumerated() { destination[i] = Int32(pixel) }
  }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) {
    images.copySample(index, to: destination, scale: scale)
  }

  private func mask(_ index: Int) -> ArraySlice<UInt8> {
    let size = targetShape.elementCount
    return masks[index * size..<(index + 1) * size]
  }
}
