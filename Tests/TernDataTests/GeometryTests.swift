import Foundation
import TernCore
import TernData
import Testing

/// What a sample shows of a picture, against Pillow; the table is written by
/// `Tests/pillow_geometry.py`.
@Suite struct GeometryTests {
  private static let side = 8

  private func bytes(_ hexadecimal: String) -> [Int] {
    let digits = Array(hexadecimal)
    return stride(from: 0, to: digits.count, by: 2).map {
      Int(String(digits[$0...$0 + 1]), radix: 16)!
    }
  }

  /// The largest difference of a file's sample from Pillow's, in levels of 255.
  private func difference(
    _ file: Data, _ view: PictureFrame.View, _ expected: String, ending: String
  ) throws -> Float {
    let path = NSTemporaryDirectory() + "tern-geometry-\(UUID().uuidString).\(ending)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try file.write(to: URL(fileURLWithPath: path))
    let values = try PictureFrame([1, Self.side, Self.side], view: view).values(ofFile: path)
    return zip(values, bytes(expected)).map { abs($0 * 255 - Float($1)) }.max()!
  }

  private func view(_ part: Double) -> PictureFrame.View {
    part == 0 ? .squash(part: 1) : .center(part: part)
  }

  /// Pillow rounds to whole levels after each of its two passes.
  @Test(arguments: GeometryTable.pictures.indices)
  func everySizeIsSeenAsPillowSeesIt(index: Int) throws {
    let entry = GeometryTable.pictures[index]
    let pixels = (0..<entry.height).flatMap { y in
      (0..<entry.width).map { x in UInt8(abs((3 * x + y) % 510 - 255)) }
    }
    let file = PNGWriter.encoded(pixels, width: entry.width, height: entry.height, channels: 1)
    let found = try difference(file, view(entry.part), entry.sample, ending: "png")
    #expect(found < 1.2, "\(entry.width)×\(entry.height), part \(entry.part): off by \(found)")
  }

  /// A JPEG may be decoded at a part of its size, and a part of it, and turned: what is seen stays
  /// the same.
  @Test(arguments: GeometryTable.jpegs.indices, 1...8)
  func everyOrientationOfAJPEGIsSeenAsPillowSeesIt(index: Int, orientation: Int) throws {
    let entry = GeometryTable.jpegs[index]
    var file = try #require(Data(base64Encoded: entry.file))
    // The tag 0x0112, a SHORT, one of them.
    let tag = try #require(file.firstRange(of: Data([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0])))
    file[tag.upperBound] = UInt8(orientation)
    let found = try difference(
      file, .center(part: 0.875), entry.samples[orientation - 1], ending: "jpg")
    #expect(found < 6, "\(entry.name) turned by \(orientation): off by \(found)")
  }
}
