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
  ///
  /// A pixel that does not count is below 0.
  /// - Throws: ``TernError`` where a file that is read on demand is damaged or gone.
  func copyTarget(_ index: Int, to destination: UnsafeMutablePointer<Int32>) throws

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

  /// What tells a sample from another without decoding it, the same wherever the data lies: the names and
  /// sizes of its files, or its bytes; empty where there is nothing but ``copySample(_:to:scale:)``.
  func traits(_ index: Int) -> [UInt8]
}

extension Dataset {
  public var classCount: Int { classNames.count }
  public var isPictures: Bool { sampleShape.rank == 3 }
  public var statisticsCount: Int { count }

  public var targetShape: Shape { [] }
  public func traits(_ index: Int) -> [UInt8] { [] }

  /// The name and the size of a file, the folders around it left out.
  static func traits(ofFile path: String) -> [UInt8] {
    let size = FileSystem.status(path)?.byteCount ?? -1
    return Array("\(path.lastPathPart) \(size)\n".utf8)
  }

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
