import Foundation
import TernCore

/// How the picture in a file becomes a sample: the one place that decides what part of it is seen, and
/// at which size. Training, evaluation and prediction go through it, whatever the format of the file.
///
/// 1. The file is decoded: palettes and low bit depths expanded, 16 bits scaled to 8, alpha dropped,
///    inks made colours, and the picture turned as its camera noted. A JPEG of which less is needed is
///    decoded at a half, a quarter or an eighth of its size, never below that of the sample.
/// 2. A part is chosen: for training with `resized-crop` at random, else the largest centred
///    rectangle of the sample's aspect, of which 7/8 on each side are seen (a sample of 224 pixels is
///    the middle of a picture whose shorter side is 256); for a class per pixel, all of the picture.
/// 3. The part is resized with a triangle filter as wide as the step, as Pillow's `BILINEAR` with
///    `box=` does: no pixel is skipped, and what lies outside the part lends its edge.
/// 4. Grey becomes three equal channels, colours become grey (BT.601), as the network takes them; the
///    values are parts of 1, which are then normalised.
package struct PictureFrame: Sendable {
  /// [C, H, W] with C 1 (grey) or 3.
  package let sampleShape: Shape
  private let view: View

  package enum View: Hashable, Sendable {
    /// So much of the largest centred rectangle of the sample's aspect.
    case center(part: Double)
    /// So much of the picture on each side, its aspect lost.
    case squash(part: Double)

    /// All of the picture, its aspect lost.
    static let whole = View.squash(part: 1)
  }

  /// - Precondition: `sampleShape` is that of a picture, grey or of three colours.
  package init(_ sampleShape: Shape, view: View) {
    precondition(sampleShape.rank == 3 && [1, 3].contains(sampleShape[0]))
    (self.sampleShape, self.view) = (sampleShape, view)
  }

  private var height: Int { sampleShape[1] }
  private var width: Int { sampleShape[2] }

  /// Decodes a file and writes the part of it that a sample shows.
  package func copy(
    file path: String, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    try copy(try Picture.contents(of: path), name: path, to: destination, scale: scale)
  }

  /// Decodes a file held in memory and writes the part of it that a sample shows.
  ///
  /// - Parameter name: what an error calls it.
  func copy(
    _ data: Data, name: String, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    try copyRegion(data, name: name, to: destination, scale: scale) { pictureWidth, pictureHeight in
      switch view {
      case .center(let part):
        .centered(
          in: (pictureWidth, pictureHeight), aspect: Double(width) / Double(height), part: part)
      case .squash(let part):
        .centered(
          in: (pictureWidth, pictureHeight), aspect: Double(pictureWidth) / Double(pictureHeight),
          part: part)
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
    try copyRegion(
      try Picture.contents(of: path), name: path, to: destination, scale: scale, choose: choose)
  }

  /// Decodes a file held in memory and writes a part of it.
  func copyRegion(
    _ data: Data, name path: String, to destination: UnsafeMutablePointer<Float>,
    scale: ChannelScale, choose: (Int, Int) -> PictureRegion
  ) throws {
    let size = try Picture.size(data, name: path)
    var region = choose(size.width, size.height)
    // What is shrunk anyhow need not be decoded in full, nor what is not seen; the filter reads
    // twice its step beyond the borders.
    let steps = (x: region.width / Double(width), y: region.height / Double(height))
    var part = region
    part.widen(x: 16 + 2 * steps.x, y: 16 + 2 * steps.y)
    let picture = try Picture(
      data, name: path, minimumScale: 1 / max(min(steps.x, steps.y), 1), part: part)
    region.scale(x: picture.scale, y: picture.scale)
    region.x -= picture.origin.x
    region.y -= picture.origin.y
    Resampler(region, of: (picture.width, picture.height), to: (width, height))
      .resample(picture, planeCount: sampleShape[0], scale: scale, to: destination)
  }

  /// A sample of its own, its values in [0, 1].
  package func values(ofFile path: String) throws -> [Float] {
    try [Float](unsafeUninitializedCapacity: sampleShape.elementCount) { buffer, count in
      try copy(
        file: path, to: buffer.baseAddress!,
        scale: .identity(channels: sampleShape[0], hasBytes: true))
      count = sampleShape.elementCount
    }
  }
}
