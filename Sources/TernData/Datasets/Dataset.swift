import TernCore

/// Samples that can be fetched in any order, with a class each.
///
/// A sample is a picture [C, H, W], whose values are in [0, 1] before they are scaled, or a vector of
/// features [D], whose values are what the file says. Its first axis is what is normalised
/// separately: channels or features.
public protocol Dataset: Sendable {
  var count: Int { get }
  /// One sample: [C, H, W] or [D].
  var sampleShape: Shape { get }
  var classNames: [String] { get }

  /// The class of a sample.
  func label(_ index: Int) -> Int32

  /// What is to be predicted of a sample: [] for its class, [H, W] for a class per pixel.
  var targetShape: Shape { get }

  /// Writes what is to be predicted of a sample: classes, row by row.
  func copyTarget(_ index: Int, to destination: UnsafeMutablePointer<Int32>)

  /// Writes a sample's values, each through its channel's entry of `scale`.
  ///
  /// Called by several threads at once.
  /// - Throws: ``TernError`` where a file that is read on demand is damaged or gone.
  func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale) throws

  /// Writes a part of a picture, resized to the shape of a sample.
  ///
  /// - Parameter choose: picks the part, given width and height of the picture.
  func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion) throws

  /// As many samples as statistics are taken from: all, unless each has to be decoded.
  var statisticsCount: Int { get }
}

/// A rectangle of a picture, in pixels.
public struct PictureRegion: Hashable, Sendable {
  public var x: Double
  public var y: Double
  public var width: Double
  public var height: Double

  public init(x: Double, y: Double, width: Double, height: Double) {
    (self.x, self.y, self.width, self.height) = (x, y, width, height)
  }

  /// The largest centred rectangle of an aspect (width / height), times `part`.
  static func centered(in size: (Int, Int), aspect: Double, part: Double) -> PictureRegion {
    let (w, h) = (Double(size.0), Double(size.1))
    let width = min(w, h * aspect) * part
    let height = width / aspect
    return PictureRegion(
      x: (w - width) / 2, y: (h - height) / 2, width: width, height: height)
  }
}

extension Dataset {
  public var classCount: Int { classNames.count }
  public var isPictures: Bool { sampleShape.rank == 3 }
  public var statisticsCount: Int { count }

  public var targetShape: Shape { [] }

  public func copyTarget(_ index: Int, to destination: UnsafeMutablePointer<Int32>) {
    destination[0] = label(index)
  }

  public func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    let (height, width) = (sampleShape[1], sampleShape[2])
    try withUnsafeTemporaryAllocation(of: Float.self, capacity: sampleShape.elementCount) {
      let sample = $0.baseAddress!
      try copySample(index, to: sample, scale: scale)
      Resampler(choose(width, height), of: (width, height), to: (width, height))
        .resample(planes: sample, count: sampleShape[0], to: destination)
    }
  }
}

/// What becomes of a sample's values on the way into the network: x · factor + offset, by channel.
public struct ChannelScale: Sendable {
  let factors: [Float]
  let offsets: [Float]
  /// What each of the 256 bytes of a pixel becomes, by channel; empty for vectors.
  let table: [Float]

  /// - Parameter hasBytes: whether the values may come from bytes.
  init(_ normalization: Normalization, hasBytes: Bool) {
    let (means, deviations) = (normalization.means, normalization.deviations)
    factors = deviations.map { Float(1 / $0) }
    offsets = zip(means, deviations).map { Float(-$0 / $1) }
    table =
      hasBytes
      ? zip(means, deviations).flatMap { mean, deviation in
        (0..<256).map { Float((Double($0) / 255 - mean) / deviation) }
      } : []
  }

  /// Leaves values as they are, and bytes in [0, 1].
  public static func identity(for dataset: any Dataset) -> ChannelScale {
    let count = dataset.sampleShape[0]
    return ChannelScale(
      Normalization(
        means: [Double](repeating: 0, count: count),
        deviations: [Double](repeating: 1, count: count)),
      hasBytes: dataset.isPictures)
  }

  /// Scales a sample in place.
  func apply(to sample: UnsafeMutablePointer<Float>, planeSize: Int) {
    for channel in factors.indices {
      let (factor, offset) = (factors[channel], offsets[channel])
      let plane = sample + channel * planeSize
      for i in 0..<planeSize { plane[i] = plane[i] * factor + offset }
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
  public var statisticsCount: Int { min(base.statisticsCount, count) }
  public func label(_ index: Int) -> Int32 { base.label(Int(indices[index])) }
  public var targetShape: Shape { base.targetShape }
  public func copyTarget(_ index: Int, to destination: UnsafeMutablePointer<Int32>) {
    base.copyTarget(Int(indices[index]), to: destination)
  }
  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    try base.copySample(Int(indices[index]), to: destination, scale: scale)
  }
  public func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    try base.copyRegion(Int(indices[index]), to: destination, scale: scale, choose: choose)
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

  /// Cuts a dataset that comes without a test set in two: every fifth sample of each class is for
  /// testing.
  ///
  /// - Throws: ``TernError`` of kind `badData` where no class has five.
  static func testSplit(_ base: any Dataset, name: String) throws -> (first: Subset, second: Subset)
  {
    var seen = [Int](repeating: 0, count: base.classCount)
    var parts: ([Int32], [Int32]) = ([], [])
    for index in 0..<base.count {
      let label = Int(base.label(index))
      seen[label] += 1
      if seen[label].isMultiple(of: 5) {
        parts.1.append(Int32(index))
      } else {
        parts.0.append(Int32(index))
      }
    }
    guard !parts.1.isEmpty else {
      throw TernError(
        .badData, "\(name): no test set, and no class has the five samples to hold one out of")
    }
    return (Subset(base, parts.0), Subset(base, parts.1))
  }
}
