import TernCore

/// The samples of another dataset as whole numbers, for networks whose input is int32: the words of
/// a vocabulary, categories.
public struct IntegerSamples: DatasetWrapper {
  public let base: any Dataset

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

  /// Samples as a network's first input reads them: whole numbers where that is int32.
  public static func of(_ base: any Dataset, for input: Field) throws -> any Dataset {
    input.type.dataType == .int32 && !base.hasIntegerSamples ? try IntegerSamples(base) : base
  }
}
