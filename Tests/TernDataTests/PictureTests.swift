import Foundation
import TernCore
import TernData
import Testing

@Suite struct PictureTests {
  @Test(arguments: PictureFixture.all.map(\.name)) func decodesAsPillowDoes(name: String) throws {
    let fixture = PictureFixture.named(name)
    let picture = try Picture(fixture.data, name: name)
    #expect(picture.width == fixture.width)
    #expect(picture.height == fixture.height)
    #expect(picture.channels == fixture.channels)
    for (mine, theirs) in [
      (Array(picture.pixels.prefix(6)), fixture.first),
      (Array(picture.pixels.suffix(6)), fixture.last),
    ] {
      for (a, b) in zip(mine, theirs) {
        #expect(abs(Int(a) - Int(b)) <= fixture.tolerance, "\(mine) \(theirs)")
      }
    }
  }

  @Test func aJPEGMayComeSmaller() throws {
    let data = PictureFixture.named("colorJPEG").data
    let half = try Picture(data, name: "half", minimumScale: 0.5)
    #expect(half.width == 8)
    #expect(half.height == 6)
    let whole = try Picture(data, name: "whole", minimumScale: 0.51)
    #expect(whole.width == 16)
    #expect(whole.height == 12)
  }

  /// What libjpeg makes the best of is read, and said; what it fills with grey is not.
  @Test func aJPEGWithAWarningIsRead() throws {
    let whole = PictureFixture.named("colorJPEG").data
    #expect(try Picture(whole, name: "whole").warning == nil)
    var junk = whole
    junk.insert(contentsOf: [0x12, 0x34, 0x56], at: junk.count - 2)
    let picture = try Picture(junk, name: "junk")
    #expect(picture.warning?.contains("extraneous bytes") == true, "\(picture.warning ?? "")")
    #expect(try picture.pixels == Picture(whole, name: "whole").pixels)
    // A code that is not there: from it on the picture is what it may be.
    var flipped = whole
    let scan = try #require(whole.firstRange(of: Data([0xFF, 0xDA])))
    for i in 20..<26 { flipped[scan.upperBound + i] = 0xFE }
    #expect(try Picture(flipped, name: "flipped").warning != nil)
    #expect(PictureWarnings.summary?.contains("pictures were read although") == true)
    // Nothing but the end mark is missing.
    let open = try Picture(whole.dropLast(2), name: "open")
    #expect(open.warning != nil)
    #expect(try open.pixels == Picture(whole, name: "whole").pixels)
    #expect(throws: TernError.self) { try Picture(whole.dropLast(20), name: "cut") }
  }

  @Test func writtenPicturesAreReadBack() throws {
    let pixels = (0..<5 * 4 * 3).map { UInt8($0 * 4) }
    let data = PNGWriter.encoded(pixels, width: 5, height: 4, channels: 3)
    #expect(try Picture(data, name: "own").pixels == pixels)
  }

  @Test func damagedFilesAreRefused() throws {
    let png = PictureFixture.named("colorPNG").data
    let jpeg = PictureFixture.named("colorJPEG").data
    func header(width: UInt32, height: UInt32) -> Data {
      var head = Data("IHDR".utf8)
      for value in [width, height] { withUnsafeBytes(of: value.bigEndian) { head += $0 } }
      head += [8, 2, 0, 0, 0]
      return png.prefix(8) + [0, 0, 0, 13] + head + FixtureFiles.checksum(Array(head))
        + png.dropFirst(33)
    }
    var flipped = png
    flipped[png.count - 20] ^= 0xFF
    var jpegBomb = jpeg
    // The frame header's extents: marker, length, precision, height, width.
    let frame = try #require(jpeg.firstRange(of: Data([0xFF, 0xC0])))
    for i in 5..<9 { jpegBomb[frame.lowerBound + i] = 0xFF }
    let cases: [(Data, String)] = [
      (Data(), "a: the file is empty"),
      (Data("GIF89a".utf8), "a: neither a PNG nor a JPEG file"),
      (png.prefix(20), "a: damaged PNG: truncated"),
      (png.dropLast(20), "a: damaged PNG: truncated"),
      (flipped, "a: damaged PNG: IDAT: incorrect data check"),
      (
        header(width: 1 << 20, height: 1 << 20),
        "a: 1048576×1048576 pixels are more than the 67108864 allowed"
      ),
      (header(width: 1 << 21, height: 1), "a: damaged PNG: Invalid IHDR data"),
      (header(width: 0, height: 4), "a: damaged PNG: Invalid IHDR data"),
      (jpeg.prefix(100), "a: damaged JPEG: truncated"),
      (jpeg.dropLast(40), "a: damaged JPEG: truncated"),
      (jpeg.prefix(3), "a: damaged JPEG: truncated"),
      (jpegBomb, "a: damaged JPEG: Maximum supported image dimension is 65500 pixels"),
    ]
    for (data, message) in cases {
      let error = #expect(throws: TernError.self) { try Picture(Data(data), name: "a") }
      #expect(error?.message == message)
      #expect(error?.kind == .badData)
    }
    let missing = #expect(throws: TernError.self) { try Picture(contentsOf: "/nowhere/a.png") }
    #expect(missing?.message == "/nowhere/a.png: no such file")
  }
}
