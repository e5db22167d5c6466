import TernCore

/// Samples that can be fetched in any order: pixel bytes with a class each.
public protocol Dataset: Sendable {
  var count: Int { get }
  /// One sample: [C, H, W].
  var sampleShape: Shape { get }
  var classNames: [String] { get }

  /// The class of a sample.
  func label(_ index: Int) -> Int32

  /// Writes a sample's pixels, each through its channel's entry of `table`.
  ///
  /// - Parameter table: 256 values per channel, what each byte becomes.
  func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, table: UnsafePointer<Float>)
}

extension Dataset {
  public var classCount: Int { classNames.count }
}

/// Samples held in memory as bytes.
public final class InMemoryDataset: Dataset {
  public let sampleShape: Shape
  public let classNames: [String]
  private let pixels: [UInt8]
  private let labels: [UInt8]

  /// - Precondition: `pixels` holds as many samples as `labels`.
  public init(pixels: [UInt8], labels: [UInt8], sampleShape: Shape, classNames: [String]) {
    precondition(pixels.count == labels.count * sampleShape.elementCount)
    self.pixels = pixels
    self.labels = labels
    self.sampleShape = sampleShape
    self.classNames = classNames
  }

  public var count: Int { labels.count }

  public func label(_ index: Int) -> Int32 { Int32(labels[index]) }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, table: UnsafePointer<Float>
  ) {
    let plane = sampleShape.elementCount / sampleShape[0]
    pixels.withUnsafeBufferPointer { pixels in
      var source = pixels.baseAddress! + index * sampleShape.elementCount
      var target = destination
      for channel in 0..<sampleShape[0] {
        let entries = table + 256 * channel
        for i in 0..<plane { target[i] = entries[Int(source[i])] }
        source += plane
        target += plane
      }
    }
  }

  /// The mean and the standard deviation of each channel, of pixels scaled to [0, 1].
  func statistics() -> (means: [Double], deviations: [Double]) {
    let plane = sampleShape.elementCount / sampleShape[0]
    var sums = [Int](repeating: 0, count: sampleShape[0])
    var squares = sums
    pixels.withUnsafeBufferPointer { pixels in
      var position = 0
      for _ in 0..<count {
        for channel in 0..<sampleShape[0] {
          // Whole numbers, so that the result does not depend on the order.
          var (sum, square) = (0, 0)
          for i in position..<position + plane {
            let value = Int(pixels[i])
            sum &+= value
            square &+= value &* value
          }
          sums[channel] += sum
          squares[channel] += square
          position += plane
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
  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, table: UnsafePointer<Float>
  ) {
    base.copySample(Int(indices[index]), to: destination, table: table)
  }

  /// Cuts a dataset in two: the second part holds `fraction` of the samples, drawn by `seed`.
  public static func split(_ base: any Dataset, fraction: Double, seed: UInt64) throws
    -> (first: Subset, second: Subset)
  {
    let order = Philox(seed: seed, stream: .data).permutation(base.count)
    let held = Int((Double(base.count) * fraction).rounded())
    guard held > 0, held < base.count else {
      throw TernError(
        .usage, "validation-split: \(fraction) of \(base.count) samples leaves one part empty")
    }
    return (
      Subset(base, order.dropLast(held).sorted()), Subset(base, order.suffix(held).sorted())
    )
  }
}
