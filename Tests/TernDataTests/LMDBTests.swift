import Foundation
import TernCore
import TernTestSupport
import Testing

@testable import TernData

/// Caffe's samples in LMDB databases.
@Suite struct LMDBTests {
  private func entries(_ count: Int, _ value: (Int) -> Data) -> [(key: String, value: Data)] {
    (0..<count).map { (String(format: "%08d", $0), value($0)) }
  }

  private func bytes(_ data: some Sequence<Float>) -> [Int] {
    data.map { Int(($0 * 255).rounded()) }
  }

  @Test func valuesAreReadWhereTheyLie() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    // Three channels, so that their order is seen; more entries than a run has.
    try LMDBWriter.write(
      entries(1300) { number in
        LMDBWriter.datum(
          [3, 1, 2], [1, 2, 3, 4, UInt8(number % 256), UInt8(number / 256)], label: number % 3 + 5)
      }, to: files.path("train_lmdb"))
    try LMDBWriter.write(
      entries(4) { LMDBWriter.datum([3, 1, 2], [9, 9, 9, 9, UInt8($0), 0], label: 6) },
      to: files.path("test_lmdb"))
    for name in [
      "lmdb:\(files.path("train_lmdb")),\(files.path("test_lmdb"))", "lmdb:\(files.directory)",
    ] {
      let data = try DataSource.open(name)
      #expect(data.training.count == 1300 && data.test.count == 4)
      #expect(data.training.classNames == ["5", "6", "7"])
      #expect((0..<4).map(data.test.label) == [1, 1, 1, 1])
      // Blue is first there, red here.
      #expect(try bytes(data.training.values(260)) == [4, 1, 3, 4, 1, 2])
      let loader = BatchLoader(
        data.training, batchSize: 100,
        normalization: Normalization(means: [0, 0, 0], deviations: [1, 1, 1]),
        shuffle: (1, 1), workers: 2)
      defer { loader.cancel() }
      var numbers: [Int] = []
      while let batch = try loader.next() {
        let values = bytes(batch.samples.bindMemory(to: Float.self))
        let labels = batch.targets.bindMemory(to: Int32.self)
        for i in 0..<batch.count {
          let number = values[6 * i] + 256 * values[6 * i + 1]
          #expect(number % 3 == Int(labels[i]))
          numbers.append(number)
        }
      }
      #expect(numbers != numbers.sorted() && numbers.sorted() == Array(0..<1300))
    }
    let whole = try DataSource.open("lmdb:\(files.path("train_lmdb"))")
    #expect(whole.training.count + whole.test.count == 1300)
  }

  @Test func numbersAndPicturesAreRead() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try LMDBWriter.write(
      entries(10) { LMDBWriter.datum([1, 4, 4], floats: (0..<16).map(Float.init), label: $0 % 2) },
      to: files.path("numbers"))
    let field = Field(Field.samplesName, [1, 2, 2])
    let numbers = try DataSource.open("lmdb:\(files.path("numbers"))", inputs: [field])
    #expect(try numbers.training.values(0) == [5, 6, 9, 10])
    #expect(numbers.notes.contains { $0.contains("the middle 2×2 of the 4×4 values") })
    let picture = PictureFixture.named("colorPNG").data
    try LMDBWriter.write(
      entries(10) { LMDBWriter.datum(picture: picture, label: $0 % 2) }, to: files.path("pictures"))
    let pictures = try DataSource.open(
      "lmdb:\(files.path("pictures"))", pictures: PictureOptions(size: 3))
    var expected = [Float](repeating: 0, count: 27)
    try PictureFrame([3, 3, 3], view: PictureOptions().view).copy(
      picture, name: "x", to: &expected, scale: .identity(channels: 3, hasBytes: true))
    #expect(try pictures.training.values(3) == expected)
  }

  @Test func damagedEntriesMayBeLeftOut() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let bad: [Int: Data] = [
      3: Data([0xFF, 0xFF]), 700: LMDBWriter.datum([1, 1, 2], [1], label: 0),
      701: LMDBWriter.datum([1, 2, 1], [1, 2], label: 0),
      1299: LMDBWriter.datum([1, 1, 2], floats: [1, 2], label: 0),
    ]
    try LMDBWriter.write(
      entries(1300) { number in
        bad[number]
          ?? LMDBWriter.datum(
            [1, 1, 2], [UInt8(number % 256), UInt8(number / 256)], label: number % 2)
      }, to: files.path("values"))
    let all = TargetSelection(testSplit: 0)
    let place = "lmdb:\(files.path("values"))"
    #expect(throws: TernError.self) { try DataSource.open(place, targets: all) }
    let values = try DataSource.open(place, onError: .skip, targets: all)
    let expected = (0..<1300).filter { bad[$0] == nil }
    #expect(values.training.count == expected.count)
    for (index, number) in expected.enumerated() {
      #expect(try bytes(values.training.values(index)) == [number % 256, number / 256])
      #expect(values.training.label(index) == Int32(number % 2))
    }
    #expect(values.notes.contains("skipped 4 of 1300 samples, which cannot be read"))
    #expect(values.notes.contains { $0.contains("00000701: values of [1, 2, 1] where") })
    let picture = PictureFixture.named("colorPNG").data
    try LMDBWriter.write(
      entries(1100) {
        LMDBWriter.datum(picture: $0 % 100 == 50 ? picture.dropLast(30) : picture, label: $0 % 2)
      }, to: files.path("pictures"))
    let pictures = try DataSource.open(
      "lmdb:\(files.path("pictures"))", pictures: PictureOptions(size: 3), onError: .skip,
      targets: all)
    #expect(pictures.training.count == 1089)
    for index in 0..<1089 { _ = try pictures.training.values(index) }
    #expect(pictures.notes.contains("skipped 11 of 1100 samples, which cannot be read"))
  }

  @Test func whatIsWrongIsOneLine() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    func fault(_ entries: [(key: String, value: Data)]) throws -> String {
      let path = files.path(UUID().uuidString)
      try LMDBWriter.write(entries, to: path)
      do {
        let set = try DataSource.open("lmdb:\(path)").training
        for index in 0..<set.count { _ = try set.values(index) }
        return "read"
      } catch let error as TernError {
        #expect(error.kind == .badData && !error.message.contains("\n"))
        return error.message
      }
    }
    let good = LMDBWriter.datum([1, 1, 2], [1, 2], label: 0)
    for (second, message) in [
      (Data([0xFF, 0xFF]), "00000001: not a Datum of Caffe's: truncated"),
      (LMDBWriter.datum([1, 1, 3], [1, 2], label: 1), "1×1×3 where there are 2 values"),
      (LMDBWriter.datum([1, 1 << 19, 1 << 19], [1, 2], label: 1), "where there are 2 values"),
      (LMDBWriter.datum([1, 2, 1], [1, 2], label: 1), "1×2×1 where the first has [1, 1, 2]"),
      (LMDBWriter.datum([1, 1, 1], floats: [.nan], label: 1), "value 0 is not finite"),
      (
        LMDBWriter.datum([1, 1, 2], floats: [1, 2], label: 1),
        "floats where the first entry has bytes"
      ),
    ] {
      let got = try fault((0..<10).map { ("0000000\($0)", $0 == 1 ? second : good) })
      #expect(got.contains(message), "\(got)")
    }
    #expect(try fault([]).contains("no "))
    #expect(throws: TernError.self) { try DataSource.open("lmdb:\(files.directory)/nothing") }
  }

  /// Every byte of pages with small and large values: the library would follow what they say.
  @Test func damagedFilesAreOneLine() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try LMDBWriter.write(
      entries(150) {
        LMDBWriter.datum([1, 1, 40], [UInt8](repeating: UInt8($0), count: 40), label: $0 % 2)
      },
      to: files.path("x"))
    let path = files.path("x/data.mdb")
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func attempt(_ bytes: [UInt8]) throws -> Bool {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        let set = try DataSource.open("lmdb:\(path)", targets: TargetSelection(testSplit: 0))
          .training
        for index in 0..<set.count { _ = try set.values(index) }
        return true
      } catch let error as TernError {
        #expect(error.kind == .badData && !error.message.contains("\n"), "\(error.message)")
        return false
      }
    }
    #expect(try attempt(whole))
    for length in stride(from: 0, to: whole.count, by: 97) {
      // What is cut off at the end may be pages that nothing reads.
      let isRead = try attempt(Array(whole[..<length]))
      #expect(!isRead || length > whole.count - 2 * 4096, "\(length) of \(whole.count)")
    }
    var refused = 0
    for index in whole.indices where index % 4096 < 700 || index % 31 == 0 {
      for mask: UInt8 in [0x01, 0x80] {
        var damaged = whole
        damaged[index] ^= mask
        if try !attempt(damaged) { refused += 1 }
      }
    }
    #expect(refused > 500)
  }

  /// A database of few pages, cut at every length.
  @Test func filesCutAnywhereAreOneLine() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try LMDBWriter.write(
      entries(4) {
        LMDBWriter.datum([1, 1, 4], [UInt8](repeating: UInt8($0), count: 4), label: $0 % 2)
      },
      to: files.path("x"))
    let path = files.path("x/data.mdb")
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let faults = try DamagedFile.faults(
      of: whole, at: path, needed: whole.count - 2 * 4096, masks: []
    ) {
      let set = try DataSource.open("lmdb:\(path)", targets: TargetSelection(testSplit: 0)).training
      for index in 0..<set.count { _ = try set.values(index) }
    }
    #expect(faults.isEmpty, "\(faults.prefix(10))")
  }

  /// Values that need pages of their own.
  @Test func damagedLargeValuesAreOneLine() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try LMDBWriter.write(
      entries(6) {
        LMDBWriter.datum([1, 50, 100], [UInt8](repeating: UInt8($0), count: 5000), label: $0 % 2)
      }, to: files.path("x"))
    let path = files.path("x/data.mdb")
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var refused = 0
    for index in whole.indices
    where index % 4096 < 64 || whole.count - index < 300 || index < 8192 && index % 3 == 0 {
      var damaged = whole
      damaged[index] ^= 0x21
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      do {
        let set = try DataSource.open("lmdb:\(path)", targets: TargetSelection(testSplit: 0))
          .training
        for index in 0..<set.count { _ = try set.values(index) }
      } catch let error as TernError {
        refused += 1
        #expect(error.kind == .badData && !error.message.contains("\n"), "\(error.message)")
      }
    }
    #expect(refused > 30)
  }
}
