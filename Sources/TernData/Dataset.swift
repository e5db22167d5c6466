import TernCore

/// Samples that can be fetched in any order: pixel bytes with a class each.
public protocol Dataset: Sendable {
  var count: Int { get }
  /// One sample: [C, H, W].
  var sampleShape: Shape { get }
  var classNames: [String] { get }

  /// The class of a sample.
  func label(_ index: Int) -> Int32

  /// What is to be predicted of a sample: [] for its class, [H, W] for a class per pixel.
  var targetShape: Shape { get }

  /// Writes what is to be predicted of a sample: classes, row by row.
  func copyTarget(_ index: Int, to destination: UnsafeMutablePointer<Int32>)

  /// Writes a sample's pixels, each through its channel's entry of `table`.
  ///
  /// - Parameter table: 256 values per channel, what each byte becomes.
  func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, table: UnsafePointer<Float>)
}

extension Dataset {
  public var classCount: Int { classNames.count }

  public var targetShape: Shape { [] }

  public func copyTarget(_ index: Int, to destination: UnsafeMutablePointer<Int32>) {
    destination[0] = label(index)
  }

  /// The mean and the standard deviation of each channel, of pixels scaled to [0, 1].
  func statistics() -> (means: [Double], deviations: [Double]) {
    let (shape, channels) = (sampleShape, sampleShape[0])
    let plane = shape.elementCount / channels
    // Bytes that stay whole numbers, so that no sum depends on an order.
    let bytes = (0..<channels).flatMap { _ in (0..<256).map(Float.init(bitPattern:)) }
    var sums = [Int](repeating: 0, count: channels)
    var squares = sums
    withUnsafeTemporaryAllocation(of: Float.self, capacity: shape.elementCount) { sample in
      for index in 0..<count {
        copySample(index, to: sample.baseAddress!, table: bytes)
        for channel in 0..<channels {
          var (sum, square) = (0, 0)
          for i in channel * plane..<(channel + 1) * plane {
            let value = Int(sample[i].bitPattern)
            sum &+= value
            square &+= value &* value
          }
          sums[channel] += sum
          squares[channel] += square
        }
      }
    }
    let total = Double(count * plane)
    let means = sums.map { Double($0) / total / 255 }
    let deviations = zip(squares, means).map { square, mean in
      max(Double(square) / total / 255 / 255 - mean * mean, 0).squareRoot()
    }
    return (means, deviations)
  }
}

/// Samples held in memory as bytes.
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

  /// - Precondition: `pixels` holds as many samples as `labels`.
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

  public func label(_ index: Int) -> Int32 { Int32(labels[index]) }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, table: UnsafePointer<Float>
  ) {
    // Shuffled samples are not in the cache. A copy fetches the lines of a piece side by side;
    // reading byte by byte would wait for one after the other.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.pieceSize) { piece in
      pixels.withUnsafeBufferPointer { pixels in
        for plane in 0..<channelCount {
          let entries = table + 256 * plane
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

/// Some samples of another dataset, in an order of its own.
public struct Subset: Dataset {
  private let base: any Dataset
  private let indices: [Int32]

  public init(_ base: any Dataset, _ indices: [Int32]) {
    self.base = base
    self.indices = indices
  }

  public var count: Int { indices.count }
  public var sampleShape: Shape { base.sampleShape }
  public var classNames: [String] { base.classNames }
  public func label(_ index: Int) -> Int32 { base.label(Int(indices[index])) }
  public var targetShape: Shape { base.targetShape }
  public func copyTarget(_ index: Int, to destination: UnsafeMutablePointer<Int32>) {
    base.copyTarget(Int(indices[index]), to: destination)
  }
  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, table: UnsafePointer<Float>
  ) {
    base.copySample(Int(indices[index]), to: destination, table: table)
  }

  /// Holds out one of `count` equal parts, drawn by `seed`.
  ///
  /// - Throws: ``TernError`` of kind `usage` where a part would be empty.
  public static func fold(_ base: any Dataset, _ index: Int, of count: Int, seed: UInt64) throws
    -> (rest: Subset, held: Subset)
  {
    precondition(index >= 0 && index < count)
    guard count >= 2, count <= base.count else {
      throw TernError(.usage, "folds: \(base.count) samples cannot be cut into \(count) parts")
    }
    let order = Philox(seed: seed, stream: .data).permutation(base.count)
    let (start, end) = (base.count * index / count, base.count * (index + 1) / count)
    return (
      Subset(base, (order[..<start] + order[end...]).sorted()),
      Subset(base, order[start..<end].sorted())
    )
  }

  /// Cuts a dataset in two: the second part holds `fraction` of the samples, drawn by `seed`.
  ///
  /// - Throws: ``TernError`` of kind `usage` where a part would be empty.
  public static func split(_ base: any Dataset, fraction: Double, seed: UInt64) throws
    -> (first: Subset, second: Subset)
  {
    let order = Philox(seed: seed, stream: .data).permutation(base.count)
    let held = fraction > 0 && fraction < 1 ? Int((Double(base.count) * fraction).rounded()) : 0
    guard held > 0, held < base.count else {
      throw TernError(
        .usage, "validation-split: \(fraction) of \(base.count) samples leaves one part empty")
    }
    return (
      Subset(base, order.dropLast(held).sorted()), Subset(base, order.suffix(held).sorted())
    )
  }
}
