import Foundation
import TernCore

/// Pictures laid out in rows, one pixel apart, as bytes [H, W, C].
package struct SheetPicture {
  package let pixels: [UInt8]
  package let width: Int
  package let height: Int
  /// 1 for grey, 3 for red, green, blue.
  package let channels: Int

  /// - Parameters:
  ///   - shape: [N, C, H, W]. Of other than one or three channels the first is shown.
  ///   - normalization: what was done to the values, which is undone.
  package init(_ values: [Float], shape: Shape, columns: Int, normalization: Normalization) {
    let (count, depth, tileHeight, tileWidth) = (shape[0], shape[1], shape[2], shape[3])
    let channels = depth == 3 ? 3 : 1
    let rows = (count + columns - 1) / columns
    let (width, height) = (columns * (tileWidth + 1) - 1, rows * (tileHeight + 1) - 1)
    var pixels = [UInt8](repeating: 0, count: width * height * channels)
    for index in 0..<count {
      let (row, column) = index.quotientAndRemainder(dividingBy: columns)
      for c in 0..<channels {
        for y in 0..<tileHeight {
          for x in 0..<tileWidth {
            let value = Double(values[((index * depth + c) * tileHeight + y) * tileWidth + x])
            let level = value * normalization.deviations[c] + normalization.means[c]
            let target = (row * (tileHeight + 1) + y) * width + column * (tileWidth + 1) + x
            pixels[target * channels + c] = UInt8((min(max(level, 0), 1) * 255).rounded())
          }
        }
      }
    }
    (self.pixels, self.width, self.height, self.channels) = (pixels, width, height, channels)
  }

  /// As a PNG file.
  package var png: Data {
    PNGWriter.encoded(pixels, width: width, height: height, channels: channels)
  }
}
