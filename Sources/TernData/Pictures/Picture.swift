import CImages
import Foundation
import TernCore

/// A picture of eight bits a channel, [H, W, C].
package final class Picture: @unchecked Sendable {
  package let width: Int
  package let height: Int
  /// 1 for grey; 3 for red, green, blue.
  package let channels: Int
  /// How many of these pixels one of the file's is wide and high.
  let scale: Double
  /// Where in the picture of the file, at this scale, the first pixel is.
  let origin: (x: Double, y: Double)
  /// What libjpeg warned of, where it read on all the same.
  package let warning: String?
  /// Row by row; never written after the initialiser.
  let bytes: UnsafeMutablePointer<UInt8>

  /// A PNG or JPEG file larger than this is refused.
  static let fileSizeLimit = 1 << 28

  /// Reads a PNG or JPEG file.
  ///
  /// Palettes and low bit depths are expanded, 16 bits scaled to eight, alpha is dropped, CMYK
  /// becomes RGB, and the orientation that a camera noted is applied.
  ///
  /// - Parameter minimumScale: where given, a JPEG may come smaller than it is, at no less than this
  ///   scale: faster than shrinking it later.
  /// - Throws: ``TernError`` naming the file and its fault; of kind `notFound` where it cannot be
  ///   read.
  package convenience init(contentsOf path: String, minimumScale: Double? = nil) throws {
    try self.init(try Self.contents(of: path), name: path, minimumScale: minimumScale)
  }

  /// Reads a PNG file whose pixels are class numbers: grey, or a palette's indices.
  package convenience init(mask path: String) throws {
    try self.init(try Self.contents(of: path), name: path, decode: tern_mask_decode)
  }

  static func contents(of path: String) throws -> Data {
    let file = try OpenFile(path)
    guard file.byteCount <= fileSizeLimit else {
      throw TernError(
        .badData, "\(path): \(file.byteCount) bytes are more than the \(fileSizeLimit) of a picture"
      )
    }
    var data = Data(count: file.byteCount)
    let count = try data.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    return count == data.count ? data : data.prefix(count)
  }

  /// Decodes a PNG or JPEG file held in memory.
  ///
  /// - Parameter name: what an error calls it.
  package convenience init(_ data: Data, name: String, minimumScale: Double? = nil) throws {
    try self.init(data, name: name) {
      tern_image_decode($0, $1, minimumScale ?? 0, nil, $2)
    }
  }

  /// Decodes as much of a file as is needed of it.
  ///
  /// - Parameter part: in pixels of the file; a JPEG may come without the rest.
  convenience init(_ data: Data, name: String, minimumScale: Double, part: PictureRegion) throws {
    func pixels(_ value: Double) -> Int32 { Int32(clamping: Int(value.rounded(.up))) }
    var part = TernImagePart(
      left: pixels(part.x) - 1, top: pixels(part.y) - 1, width: pixels(part.width) + 2,
      height: pixels(part.height) + 2)
    try self.init(data, name: name) {
      tern_image_decode($0, $1, minimumScale, &part, $2)
    }
  }

  private init(
    _ data: Data, name: String,
    decode: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<TernImage>) -> Int32
  ) throws {
    var image = TernImage()
    let succeeded = data.withUnsafeBytes {
      decode($0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count, &image)
    }
    guard succeeded != 0, let pixels = image.pixels else {
      throw Self.fault(image, name)
    }
    (width, height) = (Int(image.width), Int(image.height))
    channels = Int(image.channels)
    scale = image.scale
    origin = (image.left, image.top)
    bytes = pixels
    warning = image.warning.0 == 0 ? nil : Self.text(image.warning)
    if let warning { PictureWarnings.add(warning, of: name) }
  }

  private static func fault(_ image: TernImage, _ name: String) -> TernError {
    TernError(.badData, "\(name): \(text(image.message))")
  }

  /// The text of an array of C.
  private static func text<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// Width and height of the picture in a PNG or JPEG file.
  package static func size(ofFile path: String) throws -> (width: Int, height: Int) {
    try size(try contents(of: path), name: path)
  }

  /// Width and height of the picture in a PNG or JPEG file, from its header alone.
  static func size(_ data: Data, name: String) throws -> (width: Int, height: Int) {
    var image = TernImage()
    let succeeded = data.withUnsafeBytes {
      tern_image_inspect($0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count, &image)
    }
    guard succeeded != 0 else { throw fault(image, name) }
    return (Int(image.width), Int(image.height))
  }

  deinit { free(bytes) }

  /// All bytes, row by row.
  package var pixels: [UInt8] {
    Array(UnsafeBufferPointer(start: bytes, count: width * height * channels))
  }
}
