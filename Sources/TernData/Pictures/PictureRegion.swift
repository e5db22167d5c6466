/// A rectangle of a picture, in pixels.
public struct PictureRegion: Hashable, Sendable {
  /// The left edge, in pixels.
  public var x: Double
  /// The upper edge, in pixels.
  public var y: Double
  /// In pixels.
  public var width: Double
  /// In pixels.
  public var height: Double

  /// A part of a picture, which may end within pixels.
  public init(x: Double, y: Double, width: Double, height: Double) {
    (self.x, self.y, self.width, self.height) = (x, y, width, height)
  }

  /// Moves all borders outwards.
  mutating func widen(x marginX: Double, y marginY: Double) {
    (x, width) = (x - marginX, width + 2 * marginX)
    (y, height) = (y - marginY, height + 2 * marginY)
  }

  /// Goes along with a picture that is scaled.
  mutating func scale(x factorX: Double, y factorY: Double) {
    (x, width) = (x * factorX, width * factorX)
    (y, height) = (y * factorY, height * factorY)
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
