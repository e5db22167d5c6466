import Foundation
import TernData

/// A sample of a data set as a picture, where it is one: [1, H, W] or [3, H, W].
struct SamplePicture {
  let width: Int
  let height: Int
  let channels: Int
  /// [H, W, C]
  private let pixels: [UInt8]

  init?(_ set: any Dataset, _ index: Int) {
    let shape = set.sampleShape
    guard shape.rank == 3, shape[0] == 1 || shape[0] == 3 else { return nil }
    let (channels, height, width) = (shape[0], shape[1], shape[2])
    var values = [Float](repeating: 0, count: shape.elementCount)
    do {
      try values.withUnsafeMutableBufferPointer {
        try set.copySample(index, to: $0.baseAddress!, scale: .identity(for: set))
      }
    } catch { return nil }
    pixels = (0..<height * width).flatMap { pixel in
      (0..<channels).map { channel in
        let value = values[channel * height * width + pixel]
        return UInt8((min(max(value, 0), 1) * 255).rounded())
      }
    }
    (self.channels, self.height, self.width) = (channels, height, width)
  }

  var png: Data { PNGWriter.encoded(pixels, width: width, height: height, channels: channels) }

  /// For an `<img>` in a page that needs no other file.
  var dataURI: String { Self.dataURI(png: png) }

  static func dataURI(png: Data) -> String { "data:image/png;base64," + png.base64EncodedString() }
}
