import TernCore

/// The samples of another dataset as whole numbers, for networks whose input is int32: the words of
/// a vocabulary, categories.
public struct IntegerSamples: Dataset {
  private let base: any Dataset

  /// - Throws: ``TernError`` of kind `badData` where a value of one of the samples is no whole number of
  ///   0 to 2²⁴.
  public init(_ base: any Dataset) throws {
    self.base = base
    let identity = ChannelScale.identity(for: base)
    var values = [Float](repeating: 0, count: base.sampleShape.elementCount)
    for index in 0..<base.count {
      try values.withUnsafeMutableBufferPointer {
        try base.copySample(index, to: $0.baseAddress!, scale: identity)
      }
      if let wrong = values.first(where: { !($0 >= 0 && $0 <= 0x1p24 && $0 == $0.rounded()) }) {
        throw TernError(
          .badData,
          "sample \(index): \(wrong) where the network's input takes whole numbers of 0 to 2^24")
      }
    }
  }

  public var hasIntegerSamples: Bool { true }
  public var count: Int { base.count }
  public var sampleShape: Shape { base.sampleShape }
  public var classNames: [String] { base.classNames }
  public var targetType: TensorType { base.targetType }
  public var sampleName: String { base.sampleName }
  public var otherFields: [Field] { base.otherFields }
  public var statisticsCount: Int { base.statisticsCount }
  public func label(_ index: Int) -> Int32 { base.label(index) }
  public func traits(_ index: Int) -> [UInt8] { base.traits(index) }
  public func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) throws {
    try base.copyTarget(index, to: destination)
  }
  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    try base.copySample(index, to: destination, scale: scale)
  }
  public func copyField(_ field: Int, of index: Int, to destination: UnsafeMutableRawPointer) throws
  {
    try base.copyField(field, of: index, to: destination)
  }
}
