import Foundation
import TernCore
import Testing

@testable import TernData

/// Pictures that a list names.
@Suite struct PictureListTests {
  private func write(_ files: FixtureFiles) throws {
    try FileManager.default.createDirectory(
      atPath: files.path("sub folder"), withIntermediateDirectories: true)
    for (name, picture) in [
      ("a b.png", "greyPNG"), ("c.png", "colorPNG"), ("sub folder/d.jpg", "colorJPEG"),
    ] {
      try files.write(name, Array(PictureFixture.named(picture).data))
    }
  }

  @Test func picturesAndClassesAreThoseOfTheLines() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try write(files)
    let lines = "a b.png 7\r\n\n\(files.path("c.png"))\t 3\nsub folder/d.jpg   7\n"
    try files.write("list.txt", Array(lines.utf8))
    try files.write("test.txt", Array("c.png 3".utf8))
    var options = PictureOptions(size: 4)
    let data = try DataSource.open(
      "list:\(files.path("list.txt")),\(files.path("test.txt"))", pictures: options)
    #expect(data.training.count == 3 && data.test.count == 1)
    #expect(data.training.classNames == ["3", "7"])
    #expect((0..<3).map(data.training.label) == [1, 0, 1])
    let frame = PictureFrame([3, 4, 4], view: .center(part: 7.0 / 8))
    #expect(try data.training.values(2) == frame.values(ofFile: files.path("sub folder/d.jpg")))
    #expect(try data.test.values(0) == data.training.values(1))
    // Grey, not square, all of a picture, and named from a root.
    options.shape = [1, 2, 5]
    (options.cropMode, options.cropPart, options.root) = (.squash, 1, files.path("sub folder"))
    try files.write("other.txt", Array("d.jpg cat\nd.jpg dog\nd.jpg dog\nd.jpg cat".utf8))
    let grey = try DataSource.open(
      "list:\(files.path("other.txt"))", pictures: options, targets: TargetSelection(testSplit: 0))
    #expect(grey.training.sampleShape == [1, 2, 5] && grey.training.classNames == ["cat", "dog"])
    let whole = PictureFrame([1, 2, 5], view: .whole)
    #expect(try grey.training.values(0) == whole.values(ofFile: files.path("sub folder/d.jpg")))
  }

  @Test func whatIsWrongIsNamedWithItsLine() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try write(files)
    try files.write("bad.png", [1, 2, 3])
    for (text, kind, message) in [
      (
        "c.png 0\n\nnothing.png 1\n", TernError.Kind.notFound,
        "x.txt:3: no picture 'nothing.png' or"
      ),
      ("c.png 0\nc.png\n", .badData, "x.txt:2: expected a picture and its label, got 'c.png'"),
      ("c.png 0\nc.png 0\n", .badData, "x.txt: all pictures have the label '0'"),
      ("\n \n", .badData, "x.txt: an empty list"), ("c.png 0\u{0}", .badData, "x.txt: not a list"),
    ] {
      try files.write("x.txt", Array(text.utf8))
      let error = #expect(throws: TernError.self) {
        try DataSource.open("list:\(files.path("x.txt"))", pictures: PictureOptions(size: 4))
      }
      #expect(error?.kind == kind && error!.message.contains(message), "\(error!)")
      #expect(!error!.message.contains("\n"))
    }
    try files.write(
      "x.txt", Array("c.png 0\nbad.png 1\nnothing.png 1\na b.png 1\nc.png 1".utf8))
    let data = try DataSource.open(
      "list:\(files.path("x.txt"))", pictures: PictureOptions(size: 4), onError: .skip,
      targets: TargetSelection(testSplit: 0))
    #expect((0..<3).map(data.training.label) == [0, 1, 1] && data.training.count == 3)
    #expect(data.notes.contains { $0.contains("x.txt:2: ") && $0.contains("bad.png") })
    #expect(data.notes.contains { $0.contains("x.txt:3: no picture 'nothing.png'") })
    #expect(data.notes.contains("skipped 2 of 5 pictures, which cannot be read"), "\(data.notes)")
  }
}
