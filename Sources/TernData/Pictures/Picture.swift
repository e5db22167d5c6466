import CImages
import Foundation
import TernCore

/// A picture of eight bits a channel, [H, W, C].
public final class Picture: @unchecked Sendable {
  public let width: Int
  public let height: Int
  /// 1 for grey; 3 for red, green, blue.
  public let channels: Int
  /// Row by row; never written after the initialiser.
  let bytes: UnsafeMutablePointer<UInt8>

  /// A PNG or JPEG file larger than this is refused.
  static let fileSizeLimit = 1 << 28

  /// Reads a PNG or JPEG file.
  ///
  /// Palettes and low bit depths are expanded, 16 bits scaled to eight, alpha is dropped, CMYK
  /// becomes RGB, and the orientation that a camera noted is applied.
  ///
  /// - Parameter minimumSide: where given, a JPEG may come smaller than it is, but its shorter side
  ///   not below this: faster than shrinking it later.
  /// - Throws: ``TernError`` naming the file and its fault; of kind `notFound` where it cannot be
  ///   read.
  public convenience init(contentsOf path: String, minimumSide: Int? = nil) throws {
    let data: Data
    do {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      let size = (attributes[.size] as? Int) ?? 0
      guard size <= Self.fileSizeLimit else {
        throw TernError(
          .badData, "\(path): \(size) bytes are more than the \(Self.fileSizeLimit) of a picture")
      }
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch let error as TernError {
      throw error
    } catch {
      throw TernError(.notFound, "\(path): no such file, or not readable")
    }
    try self.init(data, name: path, minimumSide: minimumSide)
  }

  /// Decodes a PNG or JPEG file held in memory.
  ///
  /// - Parameter name: what an error calls it.
  public init(_ data: Data, name: String, minimumSide: Int? = nil) throws {
    var image = TernImage()
    let succeeded = data.withUnsafeBytes {
      tern_image_decode(
        $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count,
        Int32(clamping: minimumSide ?? 0), &image)
    }
    guard succeeded != 0, let pixels = image.pixels else {
      let text = withUnsafeBytes(of: &image.message) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw TernError(.badData, "\(name): \(text)")
    }
    (width, height) = (Int(image.width), Int(image.height))
    channels = Int(image.channels)
    bytes = pixels
  }

  deinit { free(bytes) }

  var extent: PictureRegion {
    PictureRegion(x: 0, y: 0, width: Double(width), height: Double(height))
  }

  /// All bytes, row by row.
  public var pixels: [UInt8] {
    Array(UnsafeBufferPointer(start: bytes, count: width * height * channels))
  }
}
