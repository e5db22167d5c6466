import Foundation
import TernCore
import Testing

@testable import TernData

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

  /// Packed data behind packed data is one file's, as programs write it that pack parts at once.
  @Test func partsThatArePackedAloneAreOneFile() throws {
    let images = FixtureFiles.images(7)
    for cut in [1, 16, 40, images.count - 1] {
      let files = try FixtureFiles()
      defer { files.remove() }
      try files.writeDataset()
      let plain = try DataSource.open("idx:\(files.directory)").test
      let parts = [images[..<cut], images[cut...]].flatMap { FixtureFiles.gzip(Array($0)) }
      try files.write("t10k-images-idx3-ubyte", parts)
      let packed = try DataSource.open("idx:\(files.directory)").test
      #expect(try packed.values(6) == plain.values(6) && packed.count == 7)
    }
  }

  @Test func faultsNameTheFile() throws {
    let images = FixtureFiles.images(7)
    let packed = FixtureFiles.gzip(images)
    var corrupt = packed
    corrupt[packed.count / 2] ^= 0xFF
    var wrongChecksum = packed
    wrongChecksum[packed.count - 8] ^= 0xFF
    let oversized = FixtureFiles.header([1 << 20, 1 << 10, 1 << 10])
    let badLabels = FixtureFiles.header([7]) + [0, 1, 2, 3, 4, 5, 99]
    let cases: [(name: String, bytes: [UInt8], message: String)] = [
      ("t10k-images-idx3-ubyte", Array(images.dropLast(5)), "truncated"),
      ("t10k-images-idx3-ubyte", images + [1, 2], "bytes follow its 84 elements"),
      ("t10k-images-idx3-ubyte", [1, 2, 3, 4] + images.dropFirst(4), "magic"),
      ("t10k-images-idx3-ubyte", [0, 0, 13, 3] + images.dropFirst(4), "element type 13"),
      ("t10k-images-idx3-ubyte", Array(images.prefix(7)), "truncated"),
      ("t10k-images-idx3-ubyte", [], "truncated"),
      ("t10k-images-idx3-ubyte", FixtureFiles.labels(7), "axes"),
      ("t10k-images-idx3-ubyte", FixtureFiles.header([1 << 31, 1 << 31, 1 << 31]), "extents"),
      ("t10k-images-idx3-ubyte", FixtureFiles.images(7, height: 5), "images of"),
      ("t10k-images-idx3-ubyte", Array(packed.dropLast(20)), "truncated"),
      ("t10k-images-idx3-ubyte", corrupt, "corrupt"),
      ("t10k-images-idx3-ubyte", packed + [0], "follow the end"),
      ("t10k-images-idx3-ubyte", Array(packed.dropLast(1)), "truncated"),
      ("t10k-images-idx3-ubyte", Array(packed.prefix(5)), "truncated"),
      ("t10k-images-idx3-ubyte", wrongChecksum, "corrupt"),
      ("t10k-images-idx3-ubyte", FixtureFiles.gzip(Array(images.dropLast(5))), "79 of 84"),
      ("t10k-images-idx3-ubyte", FixtureFiles.gzip(images + [1]), "bytes follow its 84 elements"),
      ("t10k-images-idx3-ubyte", oversized, "truncated: at most 0 of"),
      ("t10k-images-idx3-ubyte", FixtureFiles.gzip(oversized), "truncated: at most"),
      ("t10k-images-idx3-ubyte", FixtureFiles.header([0, 3, 4]), "extents"),
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
      #expect(error?.message.contains("\n") == false)
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
    // A folder where a file belongs.
    try files.writeDataset()
    try FileManager.default.removeItem(atPath: files.path("train-images-idx3-ubyte"))
    try FileManager.default.createDirectory(
      atPath: files.path("train-images-idx3-ubyte"), withIntermediateDirectories: false)
    let error = #expect(throws: TernError.self) { try DataSource.open("idx:\(files.directory)") }
    #expect(error?.kind == .notFound)
    #expect(error?.message.contains("train-images-idx3-ubyte: a folder, not a file") == true)
  }

  /// Pictures that are read when they are asked for are those of a file that is read at once.
  @Test func picturesMayStayInTheirFile() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.writeDataset()
    let paths = ["images-idx3", "labels-idx1"].map { files.path("train-\($0)-ubyte") }
    func open(memoryLimit: Int) throws -> any Dataset {
      try #require(
        IDX.open(files.directory, captions: nil, known: nil, memoryLimit: memoryLimit).training
      ).set
    }
    func all(_ set: any Dataset) throws -> [(images: [Float], labels: [Int32])] {
      try batches(
        BatchLoader(
          set, batchSize: 4, normalization: try Normalization("auto", statisticsOf: set),
          shuffle: (1, 0), workers: 2))
    }
    let (inMemory, inFile) = (try open(memoryLimit: 1 << 20), try open(memoryLimit: 1))
    #expect(inFile is IDXFileDataset && !(inMemory is IDXFileDataset))
    #expect(try all(inFile).map(\.images) == all(inMemory).map(\.images))
    #expect(try all(inFile).map(\.labels) == all(inMemory).map(\.labels))
    // The file is cut while it is in use.
    let whole = try Data(contentsOf: URL(fileURLWithPath: paths[0]))
    truncate(paths[0], off_t(whole.count - 1))
    let error = #expect(throws: TernError.self) { try all(inFile) }
    #expect(
      error?.message == "\(paths[0]): truncated before the end of sample 22; it was changed")
    let late = #expect(throws: TernError.self) { try open(memoryLimit: 1) }
    #expect(late?.message.contains("truncated: at most") == true, "\(late?.message ?? "")")
    try (whole + [0]).write(to: URL(fileURLWithPath: paths[0]))
    let long = #expect(throws: TernError.self) { try open(memoryLimit: 1) }
    #expect(long?.message == "\(paths[0]): \(whole.count + 1) bytes where \(whole.count) belong")
  }

  /// What is larger than the buffers between file and memory.
  @Test(arguments: [false, true]) func largeFilesComeOutWhole(compressed: Bool) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let size = 700
    // Noise, so that the packed file is large too.
    let words = Philox(seed: 1, stream: .data)
    let pixels = (0..<UInt64(size * size * 3 / 4)).flatMap { block -> [UInt8] in
      let w = words.words(block: block)
      return [w.0, w.1, w.2, w.3].map { UInt8(truncatingIfNeeded: $0) }
    }
    try files.writeDataset()
    let name = "train-images-idx3-ubyte"
    try FileManager.default.removeItem(atPath: files.path(name))
    let bytes = FixtureFiles.header([3, size, size]) + pixels
    try files.write(
      compressed ? name + ".gz" : name, compressed ? FixtureFiles.gzip(bytes) : bytes)
    try files.write("train-labels-idx1-ubyte", FixtureFiles.labels(3))
    try files.write("t10k-images-idx3-ubyte", FixtureFiles.images(7, height: size, width: size))

    let set = try DataSource.open("idx:\(files.directory)").training
    let plain = Normalization(means: [0], deviations: [1.0 / 255])
    let loader = BatchLoader(set, batchSize: 3, normalization: plain)
    let batch = try #require(try loader.next())
    #expect(batch.samples.bindMemory(to: Float.self).elementsEqual(pixels.lazy.map(Float.init)))
  }
}
