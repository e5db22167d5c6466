import TernCore

/// How the picture in a file becomes a sample: what part of it is seen, and at which size.
public struct PictureFrame: Sendable {
  /// [C, H, W] with C 1 (grey) or 3.
  public let sampleShape: Shape
  private let view: View

  public enum View: Hashable, Sendable {
    /// So much of the largest centred rectangle of the sample's aspect.
    case center(part: Double)
    /// All of the picture, its aspect lost.
    case whole
  }

  /// - Precondition: `sampleShape` is that of a picture, grey or of three colours.
  public init(_ sampleShape: Shape, view: View) {
    precondition(sampleShape.rank == 3 && [1, 3].contains(sampleShape[0]))
    (self.sampleShape, self.view) = (sampleShape, view)
  }

  private var height: Int { sampleShape[1] }
  private var width: Int { sampleShape[2] }

  /// Decodes a file and writes the part of it that a sample shows.
  public func copy(
    file path: String, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    switch view {
    case .center(let part):
      let side = Int((Double(max(width, height)) / part).rounded())
      let picture = try Picture(contentsOf: path, minimumSide: side)
      let region = PictureRegion.centered(
        in: (picture.width, picture.height), aspect: Double(width) / Double(height), part: part)
      write(picture, region, to: destination, scale: scale)
    case .whole:
      let picture = try Picture(contentsOf: path, minimumSide: max(width, height))
      write(picture, picture.extent, to: destination, scale: scale)
    }
  }

  /// Decodes a file and writes a part of it.
  ///
  /// - Parameter choose: picks the part, given width and height of the picture.
  func copyRegion(
    file path: String, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    let data = try Picture.contents(of: path)
    let size = try Picture.size(data, name: path)
    var region = choose(size.width, size.height)
    // A large part of a large picture need not be decoded in full.
    let shrink = min(max(Double(width) / region.width, Double(height) / region.height), 1)
    let side = (Double(min(size.width, size.height)) * shrink).rounded(.up)
    let picture = try Picture(data, name: path, minimumSide: Int(side))
    region.scale(
      x: Double(picture.width) / Double(size.width), y: Double(picture.height) / Double(size.height)
    )
    write(picture, region, to: destination, scale: scale)
  }

  /// A sample of its own, its values in [0, 1].
  public func values(ofFile path: String) throws -> [Float] {
    try [Float](unsafeUninitializedCapacity: sampleShape.elementCount) { buffer, count in
      try copy(
        file: path, to: buffer.baseAddress!,
        scale: .identity(channels: sampleShape[0], hasBytes: true))
      count = sampleShape.elementCount
    }
  }

  private func write(
    _ picture: Picture, _ region: PictureRegion, to destination: UnsafeMutablePointer<Float>,
    scale: ChannelScale
  ) {
    Resampler(region, of: (picture.width, picture.height), to: (width, height))
      .resample(picture, planeCount: sampleShape[0], scale: scale, to: destination)
  }
}
