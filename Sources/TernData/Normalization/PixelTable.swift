/// What every byte of a picture becomes on its way into a network, by channel: bytes are handed to a device, which
/// looks them up.
public struct PixelTable: Sendable, Equatable {
  /// The field that has the bytes.
  public let field: String
  /// [C, 256]
  public let values: [Float]

  /// The numbers that a ``BatchLoader`` would make of the same samples.
  ///
  /// - Parameter augmentation: what changes samples, where anything does.
  /// - Returns: `nil` where samples are not bytes, or do not stay bytes.
  public init?(
    _ dataset: any Dataset, _ normalization: Normalization, _ augmentation: Augmentation? = nil
  ) {
    let transforms = augmentation?.transforms ?? []
    guard dataset.hasByteSamples, dataset.isPictures, !dataset.hasIntegerSamples,
      normalization.projection.isEmpty, augmentation?.mixup == nil,
      transforms.allSatisfy(\.kind.movesPixels)
    else { return nil }
    field = dataset.sampleName
    let scale = ChannelScale(normalization, hasBytes: true)
    guard !transforms.isEmpty else {
      values = scale.table
      return
    }
    // What is augmented is scaled afterwards, with other roundings.
    var table = ChannelScale.identity(for: dataset).table
    table.withUnsafeMutableBufferPointer { scale.apply(to: $0.baseAddress!, planeSize: 256) }
    values = table
  }
}
