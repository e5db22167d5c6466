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
    try copyRegion(file: path, to: destination, scale: scale) { pictureWidth, pictureHeight in
      switch view {
      case .center(let part):
        .centered(
          in: (pictureWidth, pictureHeight), aspect: Double(width) / Double(height), part: part)
      case .whole:
        PictureRegion(x: 0, y: 0, width: Double(pictureWidth), height: Double(pictureHeight))
      }
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
    // What is shrunk anyhow need not be decoded in full, nor what is not seen; the filter reads
    // twice its step beyond the borders.
    let steps = (x: region.width / Double(width), y: region.height / Double(height))
    let shrink = 1 / max(min(steps.x, steps.y), 1)
    let side = (Double(min(size.width, size.height)) * shrink - 1e-6).rounded(.up)
    var part = region
    part.widen(x: 16 + 2 * steps.x, y: 16 + 2 * steps.y)
    let picture = try Picture(data, name: path, minimumSide: Int(side), part: part)
    region.scale(
      x: Double(picture.fullSize.width) / Double(size.width),
      y: Double(picture.fullSize.height) / Double(size.height))
    region.x -= Double(picture.origin.x)
    region.y -= Double(picture.origin.y)
    Resampler(region, of: (picture.width, picture.height), to: (width, height))
      .resample(picture, planeCount: sampleShape[0], scale: scale, to: destination)
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
}
