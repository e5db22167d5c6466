import TernCore

/// Pictures held in memory as bytes.
public final class InMemoryDataset: Dataset {
  public let sampleShape: Shape
  public let classNames: [String]
  private let pixels: [UInt8]
  private let labels: [UInt8]
  private let channelCount: Int
  /// Bytes translated at once: what Swift takes from the stack.
  private static let pieceSize = 1024
  /// The pixels of one channel of one sample.
  private let planeSize: Int

  /// - Precondition: `pixels` holds as many samples [C, H, W] as `labels`.
  public init(pixels: [UInt8], labels: [UInt8], sampleShape: Shape, classNames: [String]) {
    precondition(pixels.count == labels.count * sampleShape.elementCount)
    self.pixels = pixels
    self.labels = labels
    self.sampleShape = sampleShape
    self.classNames = classNames
    channelCount = sampleShape[0]
    planeSize = sampleShape.elementCount / sampleShape[0]
  }

  public var count: Int { labels.count }
  public var hasByteSamples: Bool { true }

  public func label(_ index: Int) -> Int32 { Int32(labels[index]) }

  public func traits(_ index: Int) -> [UInt8] {
    let size = sampleShape.elementCount
    return Array(pixels[index * size..<(index + 1) * size])
  }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) {
    // Shuffled samples are not in the cache. A copy fetches the lines of a piece side by side;
    // reading byte by byte would wait for one after the other.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.pieceSize) { piece in
      pixels.withUnsafeBufferPointer { pixels in
        scale.table.withUnsafeBufferPointer { table in
          for plane in 0..<channelCount {
            let entries = table.baseAddress! + 256 * plane
            let source = pixels.baseAddress! + (index * channelCount + plane) * planeSize
            let target = destination + plane * planeSize
            for start in stride(from: 0, to: planeSize, by: Self.pieceSize) {
              let count = min(Self.pieceSize, planeSize - start)
              piece.baseAddress!.update(from: source + start, count: count)
              for i in 0..<count { target[start + i] = entries[Int(piece[i])] }
            }
          }
        }
      }
    }
  }
}

/// Samples held in memory as numbers: vectors of features, or pictures that come as numbers.
public final class ValueDataset: Dataset {
  public let sampleShape: Shape
  public let classNames: [String]
  private let values: [Float]
  private let labels: [Int32]
  /// What is to be predicted, [N, T]; empty where samples have classes.
  private let numbers: [Float]
  private let elementCount: Int

  /// - Precondition: `values` holds as many samples as `labels`.
  public init(values: [Float], labels: [Int32], sampleShape: Shape, classNames: [String]) {
    precondition(values.count == labels.count * sampleShape.elementCount)
    self.values = values
    self.labels = labels
    self.sampleShape = sampleShape
    self.classNames = classNames
    numbers = []
    elementCount = sampleShape.elementCount
  }

  /// Samples with numbers to be predicted.
  ///
  /// - Parameters:
  ///   - values: [N, …]
  ///   - numbers: [N, T]
  ///   - targetNames: what the T numbers are called.
  /// - Precondition: there are as many samples of `values` as of `numbers`, and T is at least 1.
  public init(values: [Float], numbers: [Float], sampleShape: Shape, targetNames: [String]) {
    precondition(
      !targetNames.isEmpty
        && values.count * targetNames.count == numbers.count * sampleShape.elementCount)
    self.values = values
    labels = []
    self.numbers = numbers
    self.sampleShape = sampleShape
    classNames = targetNames
    elementCount = sampleShape.elementCount
  }

  public var count: Int { values.count / elementCount }
  public func label(_ index: Int) -> Int32 { labels.isEmpty ? 0 : labels[index] }

  public var targetType: TensorType {
    numbers.isEmpty ? TensorType([], .int32) : TensorType([classNames.count], .float32)
  }

  public func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) {
    guard !numbers.isEmpty else {
      destination.storeBytes(of: label(index), as: Int32.self)
      return
    }
    let count = classNames.count
    numbers.withUnsafeBytes {
      destination.copyMemory(
        from: $0.baseAddress! + 4 * index * count, byteCount: 4 * count)
    }
  }

  public func traits(_ index: Int) -> [UInt8] {
    values[index * elementCount..<(index + 1) * elementCount].withUnsafeBytes { Array($0) }
  }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) {
    values.withUnsafeBufferPointer {
      destination.update(from: $0.baseAddress! + index * elementCount, count: elementCount)
    }
    scale.apply(to: destination, planeSize: elementCount / sampleShape[0])
  }
}
