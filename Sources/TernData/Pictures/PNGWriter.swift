import CZlib
import Foundation

/// Encodes pixels as a PNG file: eight bits a channel, not interlaced, no filter.
///
/// Source: PNG (Portable Network Graphics) Specification, third edition, W3C.
package enum PNGWriter {
  /// - Parameters:
  ///   - pixels: [H, W, C], row by row.
  ///   - channels: 1 for grey, 3 for red, green, blue.
  /// - Precondition: `pixels` holds width · height · channels bytes, none of them 0.
  package static func encoded(_ pixels: [UInt8], width: Int, height: Int, channels: Int) -> Data {
    precondition(channels == 1 || channels == 3)
    return encoded(pixels, width: width, height: height, channels: channels, palette: nil)
  }

  /// - Parameters:
  ///   - indices: [H, W] places in the palette.
  ///   - palette: at most 256 colours: red, green, blue.
  /// - Precondition: `indices` holds width · height bytes, none of them 0.
  package static func encoded(
    indices: [UInt8], palette: [SIMD3<UInt8>], width: Int, height: Int
  ) -> Data {
    precondition((1...256).contains(palette.count))
    return encoded(indices, width: width, height: height, channels: 1, palette: palette)
  }

  private static func encoded(
    _ pixels: [UInt8], width: Int, height: Int, channels: Int, palette: [SIMD3<UInt8>]?
  ) -> Data {
    precondition(width > 0 && height > 0 && pixels.count == width * height * channels)
    let rowLength = width * channels
    var rows: [UInt8] = []
    rows.reserveCapacity((rowLength + 1) * height)
    for row in 0..<height {
      rows.append(0)
      rows += pixels[row * rowLength..<(row + 1) * rowLength]
    }
    var packed = [UInt8](repeating: 0, count: Int(compressBound(UInt(rows.count))))
    var packedCount = UInt(packed.count)
    let status = compress2(
      &packed, &packedCount, rows, UInt(rows.count), Z_DEFAULT_COMPRESSION)
    // The buffer is as large as zlib asks for, so only a lack of memory is left.
    precondition(status == Z_OK, "zlib cannot compress")

    var file = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    let colorType: UInt8 = palette != nil ? 3 : channels == 1 ? 0 : 2
    append("IHDR", bytes(width) + bytes(height) + [8, colorType, 0, 0, 0], to: &file)
    if let palette { append("PLTE", palette.flatMap { [$0.x, $0.y, $0.z] }, to: &file) }
    append("IDAT", Array(packed.prefix(Int(packedCount))), to: &file)
    append("IEND", [], to: &file)
    return file
  }

  private static func append(_ type: String, _ content: [UInt8], to file: inout Data) {
    let covered = Array(type.utf8) + content
    file += bytes(content.count)
    file += covered
    file += bytes(Int(crc32(0, covered, UInt32(covered.count))))
  }

  /// Four bytes, the most significant first.
  private static func bytes(_ value: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt32(value).bigEndian, Array.init)
  }
}
