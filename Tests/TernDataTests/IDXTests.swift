import TernCore
import TernData
import Testing

@Suite struct IDXTests {
  @Test(arguments: [false, true]) func readsPlainAndGzippedFiles(compressed: Bool) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.writeDataset(compressed: compressed)
    let source = try DataSource.open("idx:\(files.directory)")
    #expect(source.training.count == 23)
    #expect(source.test.count == 7)
    #expect(source.training.sampleShape == [1, 3, 4])
    #expect(source.training.classCount == 10)
    #expect(source.training.label(12) == 2)
  }

  @Test func faultsNameTheFile() throws {
    let images = FixtureFiles.images(7)
    let packed = FixtureFiles.gzip(images)
    var corrupt = packed
    corrupt[packed.count / 2] ^= 0xFF
    let badLabels = FixtureFiles.header([7]) + [0, 1, 2, 3, 4, 5, 99]
    let cases: [(name: String, bytes: [UInt8], message: String)] = [
      ("t10k-images-idx3-ubyte", Array(images.dropLast(5)), "truncated"),
      ("t10k-images-idx3-ubyte", images + [1, 2], "2 bytes too many"),
      ("t10k-images-idx3-ubyte", [1, 2, 3, 4] + images.dropFirst(4), "magic"),
      ("t10k-images-idx3-ubyte", [0, 0, 13, 3] + images.dropFirst(4), "element type 13"),
      ("t10k-images-idx3-ubyte", Array(images.prefix(7)), "truncated"),
      ("t10k-images-idx3-ubyte", [], "truncated"),
      ("t10k-images-idx3-ubyte", FixtureFiles.labels(7), "axes"),
      ("t10k-images-idx3-ubyte", FixtureFiles.header([1 << 31, 1 << 31, 1 << 31]), "extents"),
      ("t10k-images-idx3-ubyte", FixtureFiles.images(7, height: 5), "images of"),
      ("t10k-images-idx3-ubyte", Array(packed.dropLast(20)), "truncated"),
      ("t10k-images-idx3-ubyte", corrupt, "corrupt"),
      ("t10k-images-idx3-ubyte", packed + [0], "after the end"),
      ("t10k-labels-idx1-ubyte", FixtureFiles.labels(6), "6 labels for 7 images"),
    ]
    for (name, bytes, message) in cases {
      let files = try FixtureFiles()
      defer { files.remove() }
      try files.writeDataset()
      try files.write(name, bytes)
      let error = #expect(throws: TernError.self) {
        try DataSource.open("idx:\(files.directory)")
      }
      #expect(error?.kind == .badData)
      #expect(error?.message.contains(name) == true)
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
    // A label is out of range where the data set has named classes.
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.writeDataset()
    try files.write("t10k-labels-idx1-ubyte", badLabels)
    let error = #expect(throws: TernError.self) {
      try DataSource.open("fashion-mnist:\(files.directory)")
    }
    #expect(error?.kind == .badData)
    #expect(error?.message.contains("label 99 of sample 6") == true)
  }

  @Test func missingFilesAreNotFound() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    for specification in ["idx:\(files.directory)", "idx:/nowhere/at/all"] {
      let error = #expect(throws: TernError.self) { try DataSource.open(specification) }
      #expect(error?.kind == .notFound)
    }
    let error = #expect(throws: TernError.self) { try DataSource.open("imagenet") }
    #expect(error?.kind == .usage)
  }
}
