import TernCore

/// A dataset that shows another one with something changed: what it does not say itself is the other's.
public protocol DatasetWrapper: Dataset {
  /// The other one.
  var base: any Dataset { get }

  /// Which sample of the other one a sample is.
  func baseIndex(_ index: Int) -> Int
}

extension DatasetWrapper {
  public func baseIndex(_ index: Int) -> Int { index }

  public var count: Int { base.count }
  public var sampleShape: Shape { base.sampleShape }
  public var classNames: [String] { base.classNames }
  public var targetType: TensorType { base.targetType }
  public var sampleName: String { base.sampleName }
  public var hasIntegerSamples: Bool { base.hasIntegerSamples }
  public var hasByteSamples: Bool { base.hasByteSamples }
  public var vocabularyCount: Int? { base.vocabularyCount }
  public var otherFields: [Field] { base.otherFields }
  public var statisticsCount: Int { base.statisticsCount }
  public func statisticsSample(_ number: Int) -> Int { base.statisticsSample(number) }
  public var runs: [Int]? { base.runs }
  public var summary: String? { base.summary }
  public func label(_ index: Int) -> Int32 { base.label(baseIndex(index)) }
  public func traits(_ index: Int) -> [UInt8] { base.traits(baseIndex(index)) }
  public func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) throws {
    try base.copyTarget(baseIndex(index), to: destination)
  }
  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    try base.copySample(baseIndex(index), to: destination, scale: scale)
  }
  public func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    try base.copyRegion(baseIndex(index), to: destination, scale: scale, choose: choose)
  }
  public func copyField(_ field: Int, of index: Int, to destination: UnsafeMutableRawPointer) throws
  {
    try base.copyField(field, of: baseIndex(index), to: destination)
  }
}
