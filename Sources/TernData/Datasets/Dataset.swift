import TernCore

/// Samples that can be fetched in any order: fields that networks read, and one they are held against.
///
/// The first field is what is normalised and augmented. It is a picture [C, H, W], whose values are in
/// [0, 1] before they are scaled, or a vector of features [D], whose values are what the file says. Its
/// first axis is what is normalised separately: channels or features.
public protocol Dataset: Sendable {
  /// The number of samples.
  var count: Int { get }
  /// One sample of the first field: [C, H, W] or [D].
  var sampleShape: Shape { get }
  /// The names of the classes; of numbers to be predicted, those of their columns.
  var classNames: [String] { get }

  /// The class of a sample; 0 where numbers are predicted.
  func label(_ index: Int) -> Int32

  /// What is to be predicted of a sample: [] int32 for its class, [H, W] int32 for a class per pixel,
  /// [T] float32 for numbers, or for labels of which each holds (1) or does not (0).
  var targetType: TensorType { get }

  /// Writes what is to be predicted of a sample, row by row.
  ///
  /// A pixel that does not count is below 0.
  /// - Throws: ``TernError`` where a file that is read on demand is damaged or gone.
  func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) throws

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

  /// The name of the first field: the network's input that reads it.
  var sampleName: String { get }

  /// Whether the first field is whole numbers, int32, which are not normalised.
  var hasIntegerSamples: Bool { get }

  /// Whether every value of the first field is a byte of a picture, as it was stored: none is resized.
  var hasByteSamples: Bool { get }

  /// How many tokens there are, where the first field is text.
  var vocabularyCount: Int? { get }

  /// What samples have beside the first field and the target: further inputs of a network.
  var otherFields: [Field] { get }

  /// Writes one of ``otherFields`` of a sample as it is.
  ///
  /// - Parameter field: its place among them.
  func copyField(_ field: Int, of index: Int, to destination: UnsafeMutableRawPointer) throws

  /// As many samples as statistics are taken from: all, unless each has to be decoded.
  var statisticsCount: Int { get }

  /// Which samples these are: evenly chosen, unless some are quicker to come by.
  ///
  /// - Parameter number: below ``statisticsCount``.
  func statisticsSample(_ number: Int) -> Int

  /// How many samples lie one behind another in each file, where they are best read so: they are
  /// shuffled within windows, and need not be known each. `nil` for samples that are fetched in any order.
  var runs: [Int]? { get }

  /// What is known of all samples without reading them, where there may be too many to ask each for its
  /// label and ``traits(_:)``: the same wherever the data lies.
  var summary: String? { get }

  /// What tells a sample from another without decoding it, the same wherever the data lies: the names and
  /// sizes of its files, or its bytes; empty where there is nothing but ``copySample(_:to:scale:)``.
  func traits(_ index: Int) -> [UInt8]
}

extension Dataset {
  /// How many classes there are, or numbers to be predicted.
  public var classCount: Int { classNames.count }
  /// Whether samples are pictures, [C, H, W].
  public var isPictures: Bool { sampleShape.rank == 3 }
  public var statisticsCount: Int { count }
  public func statisticsSample(_ number: Int) -> Int { number * count / statisticsCount }
  public var runs: [Int]? { nil }
  public var summary: String? { nil }

  public var targetType: TensorType { TensorType([], .int32) }
  /// The shape of what is to be predicted of a sample.
  public var targetShape: Shape { targetType.shape }
  /// Whether numbers are predicted, not classes.
  public var hasNumericTargets: Bool { targetType.dataType == .float32 }

  public var sampleName: String { Field.samplesName }
  public var hasIntegerSamples: Bool { false }
  public var hasByteSamples: Bool { false }
  public var vocabularyCount: Int? { nil }
  public var otherFields: [Field] { [] }
  public func copyField(_ field: Int, of index: Int, to destination: UnsafeMutableRawPointer) {
    preconditionFailure("no field \(field)")
  }

  /// All fields: the samples, the targets, and the others.
  public var fields: [Field] {
    [
      Field(sampleName, sampleShape, hasIntegerSamples ? .int32 : .float32),
      Field(Field.targetsName, targetType),
    ] + otherFields
  }

  public func traits(_ index: Int) -> [UInt8] { [] }

  /// The name and the size of a file, the folders around it left out.
  static func traits(ofFile path: String) -> [UInt8] {
    let size = FileSystem.status(path)?.byteCount ?? -1
    return Array("\(path.lastPathPart) \(size)\n".utf8)
  }

  public func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) {
    destination.storeBytes(of: label(index), as: Int32.self)
  }

  /// The numbers that are to be predicted of a sample, [T].
  ///
  /// - Precondition: ``hasNumericTargets``.
  public func numbers(_ index: Int) throws -> [Float] {
    precondition(hasNumericTargets)
    var result = [Float](repeating: 0, count: targetShape.elementCount)
    try result.withUnsafeMutableBytes { try copyTarget(index, to: $0.baseAddress!) }
    return result
  }

  /// The values of a sample as the data has them, row by row.
  package func values(_ index: Int) throws -> [Float] {
    var result = [Float](repeating: 0, count: sampleShape.elementCount)
    let identity = ChannelScale.identity(for: self)
    try result.withUnsafeMutableBufferPointer {
      try copySample(index, to: $0.baseAddress!, scale: identity)
    }
    return result
  }

  public func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    try copyResampled(index, to: destination, scale: scale, choose: choose)
  }

  /// Writes a part of a sample that is a picture already, resized to the shape of a sample.
  func copyResampled(
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
