import Foundation
import TernCore
import TernTestSupport
import Testing

@testable import TernData

/// Samples in tar archives.
@Suite struct ShardTests {
  private func numbers(_ set: any Dataset) throws -> [Float] {
    try (0..<set.count).map { try set.values($0)[0] }
  }

  /// Seven archives of different lengths, every second packed.
  private func write(_ files: FixtureFiles) throws -> Int {
    var first = 0
    for (shard, count) in [300, 1, 129, 128, 257, 40, 300].enumerated() {
      let bytes = TarFixture.numbered(first..<first + count).file
      try files.write(
        "n-00\(shard).tar", shard % 2 == 1 ? FixtureFiles.gzip(bytes) : bytes)
      first += count
    }
    return first
  }

  @Test func samplesAreFilesOfOneBaseName() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    var archive = TarFixture()
    archive.add(TarFixture.header("a/", TarFixture.octal(0, 12), type: "5"))
    archive.add("a/0.jpg.json", Array("{}".utf8))
    archive.add("a/0.cls", Array("dog".utf8))
    archive.add("a/0.png", Array(PictureFixture.named("colorPNG").data))
    archive.add("a/.hidden", [1])
    archive.add("b.txt", Array(" cat\n".utf8), prefix: "folder")
    archive.add("b.PNG", Array(PictureFixture.named("greyPNG").data), prefix: "folder")
    let long = String(repeating: "x", count: 120)
    archive.addLong("\(long).cls", Array("dog".utf8))
    archive.addExtended("\(long).jpg", Array(PictureFixture.named("colorPNG").data))
    try files.write("train-0.tar", archive.file)
    try files.write("val-0.tar.gz", FixtureFiles.gzip(archive.file))
    let data = try DataSource.open("tar:\(files.directory)", pictures: PictureOptions(size: 3))
    #expect(data.training.count == 3 && data.test.count == 3)
    #expect(data.training.classNames == ["cat", "dog"])
    #expect((0..<3).map(data.training.label) == [1, 0, 1])
    #expect(
      data.notes.contains {
        $0.contains("left out: 2 files neither PNG nor JPEG") || $0.contains("left out: ")
      }, "\(data.notes)")
    for index in 0..<3 {
      #expect(try data.training.values(index) == data.test.values(index))
    }
    // As the same pictures in folders are.
    let folder = files.path("images")
    for (name, picture) in [("dog", "colorPNG"), ("cat", "greyPNG")] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      try PictureFixture.named(picture).data.write(
        to: URL(fileURLWithPath: "\(folder)/\(name)/0.png"))
    }
    let pictures = try ImageFolderDataset(
      .init(classNames: ["cat", "dog"]).adding(folder),
      frame: PictureFrame([3, 3, 3], view: PictureOptions().view))
    #expect(try data.training.values(1) == pictures.values(0))
    #expect(try data.training.values(0) == pictures.values(1))
  }

  @Test func everySampleComesOnceInAnOrderOfItsEpoch() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let count = try write(files)
    let data = try DataSource.open("tar:\(files.path("n-{000..006}.tar"))", targets: .all)
    #expect(data.training.count == count && data.training.sampleShape == [2])
    #expect(try numbers(data.training) == (0..<count).map(Float.init))
    func epoch(_ epoch: Int, workers: Int = 1, batches: [Int]? = nil) throws -> [[Float]] {
      let loader = BatchLoader(
        data.training, batchSize: 48,
        normalization: Normalization(means: [0, 0], deviations: [1, 1]),
        shuffle: (7, epoch), batches: batches, workers: workers)
      defer { loader.cancel() }
      var result: [[Float]] = []
      while let batch = try loader.next() {
        let values = batch.samples.bindMemory(to: Float.self)
        let labels = batch.targets.bindMemory(to: Int32.self)
        for i in 0..<batch.count { #expect(Int(values[2 * i]) % 3 == Int(labels[i])) }
        result.append((0..<batch.count).map { values[2 * $0] })
      }
      return result
    }
    let first = try epoch(0)
    #expect(Set(first.joined()) == Set((0..<count).map(Float.init)))
    #expect(first.joined().count == count)
    #expect(try epoch(1) != first)
    #expect(try epoch(0, workers: 3) == first)
    for start in [1, 9, first.count - 1] {
      let rest = try epoch(0, workers: 2, batches: Array(start..<first.count))
      #expect(rest == Array(first[start...]))
    }
    // What lies together comes far apart.
    let places = Dictionary(uniqueKeysWithValues: zip(first.joined(), 0...))
    let steps = (1..<count).map { abs(places[Float($0)]! - places[Float($0 - 1)]!) }
    #expect(steps.reduce(0, +) / steps.count > 100)
  }

  @Test func windowsCoverAMillionSamples() {
    let lengths = (0..<1000).map { 997 + $0 % 7 }
    let count = lengths.reduce(0, +)
    let windows = SampleWindows(lengths, Philox(seed: 3, stream: .shuffle), epoch: 5)
    var seen = [Bool](repeating: false, count: count)
    var place = 0
    while place < count {
      let (places, samples) = windows.window(at: place)
      #expect(places.lowerBound == place && places.count == samples.count)
      #expect(samples.count <= SampleWindows.runsPerWindow * SampleWindows.pieceSize)
      for sample in samples {
        #expect(!seen[sample])
        seen[sample] = true
      }
      place = places.upperBound
    }
    #expect(!seen.contains(false))
  }

  /// Each of the batches that an update sums has files of its own, but for those that are cut where the next begins.
  @Test(arguments: [1, 3, 4]) func runsAreDealtOut(parts: Int) {
    let lengths = [300, 1, 129, 128, 257, 40, 300, 90, 222, 71]
    let count = lengths.reduce(0, +)
    let starts = lengths.indices.map { lengths[..<$0].reduce(0, +) }
    let draws = Philox(seed: 3, stream: .shuffle)
    let windows = SampleWindows.dealt(
      lengths, draws, epoch: 5, batchSize: 7, batchesPerUpdate: parts)
    var seen: Set<Int> = []
    var readers = [Set<Int>](repeating: [], count: lengths.count)
    for place in 0..<count {
      let (batch, offset) = place.quotientAndRemainder(dividingBy: 7)
      let own = batch / parts * 7 + offset
      let (places, samples) = windows[batch % parts].window(at: own)
      let sample = samples[own - places.lowerBound]
      #expect(seen.insert(sample).inserted)
      readers[starts.lastIndex { $0 <= sample }!].insert(batch % parts)
    }
    #expect(seen.count == count)
    #expect(readers.reduce(0) { $0 + $1.count } <= lengths.count + parts - 1)
    if parts == 1 {
      let plain = SampleWindows(lengths, draws, epoch: 5)
      #expect((0..<count).allSatisfy { plain.window(at: $0) == windows[0].window(at: $0) })
    }
  }

  @Test func aFifthOfEachArchiveIsHeldOut() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let count = try write(files)
    let data = try DataSource.open("tar:\(files.path("*.tar"))")
    #expect(data.test.count == [300, 1, 129, 128, 257, 40, 300].reduce(0) { $0 + $1 / 5 })
    let (training, test) = (try numbers(data.training), try numbers(data.test))
    #expect(training.count + test.count == count)
    #expect((training + test).sorted() == (0..<count).map(Float.init))
    #expect(test.prefix(3) == [4, 9, 14])
    #expect(data.notes[0].contains("every fifth sample of each file"), "\(data.notes)")
    // Of what is left, a part for validation.
    let split = try Subset.split(data.training, fraction: 0.25, seed: 1)
    #expect(split.first.runs?.reduce(0, +) == split.first.count)
    #expect(split.first.runs?.count == 7)
    let statistics = try SampleStatistics(data.training)
    #expect(statistics.means[1] == 1)
  }

  @Test func theCountIsKeptBesideTheArchives() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let (large, small) = (TarFixture.numbered(0..<600).file, TarFixture.numbered(0..<300))
    let name = "tar:\(files.path("a.tar"))"
    func count() throws -> Int { try DataSource.open(name, targets: .all).training.count }
    func write(_ bytes: [UInt8]) throws {
      try files.write("a.tar", bytes)
      var times = [
        timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000, tv_nsec: 0),
      ]
      #expect(utimensat(AT_FDCWD, files.path("a.tar"), &times, 0) == 0)
    }
    try write(large)
    #expect(large.count > 1 << 20)
    #expect(try count() == 600)
    // The same size and time: what is kept is believed, and the samples tell when they are read.
    let end = [UInt8](repeating: 0, count: large.count - small.bytes.count)
    try write(small.bytes + end)
    let stale = try DataSource.open(name, targets: .all)
    #expect(stale.training.count == 600)
    let error = #expect(throws: TernError.self) { try stale.training.values(500) }
    #expect(error?.kind == .badData && error?.message.contains("it was changed") == true)
    // Another time: it is counted again.
    try files.write("a.tar", small.bytes + end)
    #expect(try count() == 300)
    // Little data is counted each time.
    try write(small.file)
    #expect(try count() == 300)
    try write(TarFixture.numbered(0..<299).bytes + [UInt8](repeating: 0, count: 1024 + 2048))
    #expect(try count() == 299)
  }

  /// Samples that cannot be read are left out where that is asked for, counted and named; the others are the same.
  @Test(arguments: [false, true]) func damagedSamplesMayBeLeftOut(isPacked: Bool) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    var archive = TarFixture()
    var expected: [Float] = []
    for number in 0..<900 {
      var array = TarFixture.array([Float(number), 1])
      let hasLabel = number % 100 != 7
      switch number % 100 {
      case 3: array = TarFixture.array([Float(number), .nan])
      case 4: array = TarFixture.array([Float(number)])
      case 5: array.removeLast()
      case 7: break
      case 9: archive.add("\(number).png", [1, 2, 3])
      default: expected.append(Float(number))
      }
      archive.add("\(number).npy", array)
      if hasLabel { archive.add("\(number).cls", Array("\(number % 3)".utf8)) }
    }
    try files.write("a.tar", isPacked ? FixtureFiles.gzip(archive.file) : archive.file)
    try files.write("b.tar", TarFixture.numbered(1000..<1040).file)
    expected += (1000..<1040).map(Float.init)
    let name = "tar:\(files.path("*.tar"))"
    #expect(throws: TernError.self) { try DataSource.open(name, targets: .all) }
    // Counted, and taken from the index the second time.
    for _ in 0..<2 {
      let data = try DataSource.open(name, onError: .skip, targets: .all)
      #expect(try numbers(data.training) == expected)
      #expect(data.notes.contains("skipped 45 of 940 samples, which cannot be read"))
      for text in ["3.npy: holds a number", "4.npy: an array of shape [1]", "'7': no label"] {
        #expect(data.notes.contains { $0.hasPrefix("skipped: ") && $0.contains(text) }, "\(text)")
      }
      #expect(data.notes.count { $0.hasPrefix("skipped: ") } == 10)
      // From back to front, so that blocks are not read in their order.
      for index in stride(from: data.training.count - 1, through: 0, by: -37) {
        #expect(try data.training.values(index)[0] == expected[index])
        #expect(data.training.label(index) == Int32(Int(expected[index]) % 3))
      }
    }
    let indices = try FileManager.default.contentsOfDirectory(atPath: files.directory).filter {
      $0.hasPrefix(".tern-index")
    }
    // Little data is counted each time.
    #expect(indices.count == (isPacked ? 0 : 1), "\(indices)")
    let held = try DataSource.open(name, onError: .skip)
    #expect(try Set(numbers(held.training) + numbers(held.test)) == Set(expected))
    #expect(held.test.count == 855 / 5 + 8)
  }

  /// A damaged header, a link and a cut end cost the samples that they are in, and no others.
  @Test(arguments: [false, true]) func whatIsNoFileIsPassedOver(isPacked: Bool) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    var archive = TarFixture.numbered(0..<500)
    archive.add(TarFixture.header("link", TarFixture.octal(0, 12), type: "2"))
    let later = archive.bytes.count
    var bytes = archive.bytes + TarFixture.numbered(500..<520).file
    let sampleSize = (later - 512) / 500
    // The first header of a sample, and the second of another.
    bytes[5 * sampleSize] ^= 1
    bytes[300 * sampleSize + 1024] ^= 1
    bytes.removeLast(bytes.count - later - 19 * sampleSize - 600)
    try files.write("a.tar", isPacked ? FixtureFiles.gzip(bytes) : bytes)
    let name = "tar:\(files.path("a.tar"))"
    #expect(throws: TernError.self) { try DataSource.open(name, targets: .all) }
    let expected = (0..<519).filter { $0 != 5 && $0 != 300 }.map(Float.init)
    let data = try DataSource.open(name, onError: .skip, targets: .all)
    #expect(try numbers(data.training) == expected)
    for text in ["not a tar header at byte \(5 * sampleSize)", "'link' is a link", "truncated"] {
      #expect(data.notes.contains { $0.hasPrefix("skipped: ") && $0.contains(text) }, "\(text)")
    }
    // Blocks that are not read in their order have the same samples.
    for index in stride(from: expected.count - 1, through: 0, by: -29) {
      #expect(try data.training.values(index)[0] == expected[index])
    }
  }

  @Test func placesSkipWhatIsDamaged() {
    for damaged in [[], [0], [9], [0, 1, 2], [3, 4, 8], [1, 3, 5, 7, 9]] {
      let samples = DamagedSamples(places: [[], damaged])
      let readable = (0..<10).filter { !damaged.contains($0) }
      #expect(readable.indices.map { samples.place(of: $0, in: 1) } == readable)
      #expect((0..<10).filter { samples.isDamaged($0, of: 1) } == damaged)
      #expect(samples.place(of: 7, in: 0) == 7)
    }
  }

  // MARK: Damage

  private func fault(_ archive: [UInt8]) throws -> String {
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.write("x.tar", archive)
    do {
      let set = try DataSource.open("tar:\(files.path("x.tar"))", targets: .all).training
      for index in 0..<set.count { _ = try set.values(index) }
      return "read"
    } catch let error as TernError {
      #expect(error.kind == .badData && !error.message.contains("\n"))
      return error.message
    }
  }

  @Test func hostileArchivesAreOneLine() throws {
    let good = TarFixture.numbered(0..<4)
    func damaged(_ change: (inout TarFixture) -> Void) -> [UInt8] {
      var archive = good
      change(&archive)
      return archive.file
    }
    func header(_ size: [UInt8], _ name: String = "x.npy", type: Character = "0") -> [UInt8] {
      TarFixture.header(name, size, type: type)
    }
    let binary: [UInt8] = [0x80, 0, 0, 0, 0, 0, 0x7F] + [UInt8](repeating: 0xFF, count: 5)
    for (archive, message) in [
      (good.file, "read"),
      (good.bytes, "truncated at byte"),
      (
        damaged { $0.add(header(TarFixture.octal(1 << 30, 12))) },
        "truncated: 'x.npy' is said to have"
      ),
      (damaged { $0.add(header(binary)) }, "truncated: 'x.npy'"),
      (damaged { $0.add(header([UInt8](repeating: 0xFF, count: 12))) }, "a malformed number"),
      (damaged { $0.add(header(Array("12345678901 ".utf8))) }, "a malformed number"),
      (damaged { $0.add("../x.cls", [0x30]) }, "leads out of the archive"),
      (damaged { $0.add("a/../../x.cls", [0x30]) }, "leads out of the archive"),
      (damaged { $0.add("/etc/x.cls", [0x30]) }, "leads out of the archive"),
      (damaged { $0.addLong("../" + String(repeating: "y", count: 200), [0x30]) }, "leads out"),
      (damaged { $0.add(header(TarFixture.octal(0, 12), type: "2")) }, "is a link"),
      (damaged { $0.add(header(TarFixture.octal(0, 12), type: "1")) }, "is a link"),
      (
        damaged { $0.add(header(TarFixture.octal(0, 12), type: "3")) },
        "is no plain file (type '3')"
      ),
      (damaged { $0.add(header(TarFixture.octal(1 << 25, 12), type: "L")) }, "a header of"),
      (
        damaged { $0.add(header(TarFixture.octal(8, 12), type: "x"), Array("99 path=".utf8)) },
        "a malformed extended header"
      ),
      (damaged { $0.add("x.cls", Array("1".utf8)) }, "no picture (.png, .jpg, .jpeg) nor array"),
      (damaged { $0.add("x.npy", TarFixture.array([1, 2])) }, "no label (.cls or .txt)"),
      (
        damaged {
          $0.add("x.cls", Array("1".utf8))
          $0.add("x.cls", Array("1".utf8))
        }, "two files '.cls'"
      ),
      (
        damaged {
          $0.add("x.npy", TarFixture.array([1, 2, 3]))
          $0.add("x.cls", Array("1".utf8))
        }, "an array of shape [3] where the first has [2]"
      ),
      (
        damaged {
          $0.add("x.npy", TarFixture.array([1, .nan]))
          $0.add("x.cls", Array("1".utf8))
        }, "not finite"
      ),
      (
        damaged {
          $0.add("x.jpg", [1, 2, 3])
          $0.add("x.cls", Array("1".utf8))
        }, "is a picture"
      ),
      (Array("no tar at all".utf8), "truncated at byte 0"),
      ([UInt8](repeating: 0x41, count: 2048), "not a tar header"),
      ([UInt8](repeating: 0, count: 1024), "no samples"),
      (Array(FixtureFiles.gzip(good.file).dropLast(9)), "the gzip data is truncated"),
      (FixtureFiles.gzip(good.bytes), "truncated at byte"),
      (
        FixtureFiles.gzip(damaged { $0.add(header(binary)) }), "are more than the"
      ),
    ] {
      let got = try fault(archive)
      #expect(got.contains(message), "\(got) where '\(message)' belongs")
    }
  }

  @Test(arguments: [false, true]) func damagedArchivesAreOneLine(isPacked: Bool) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let archive = TarFixture.numbered(0..<2)
    let bytes = isPacked ? FixtureFiles.gzip(archive.file) : archive.file
    let faults = try DamagedFile.faults(
      of: bytes, at: files.path("x.tar"),
      needed: isPacked ? bytes.count : archive.bytes.count + 512,
      masks: isPacked ? [0x01, 0x10, 0xFF] : [0x81]
    ) {
      let set = try DataSource.open("tar:\(files.path("x.tar"))", targets: .all).training
      for index in 0..<set.count { _ = try set.values(index) }
    }
    #expect(faults == [])
  }

  @Test func patternsNameFiles() throws {
    #expect(
      try ShardPattern.expanded("a{00..02}-{x,yy}.tar") == [
        "a00-x.tar", "a00-yy.tar", "a01-x.tar", "a01-yy.tar", "a02-x.tar", "a02-yy.tar",
      ])
    #expect(try ShardPattern.expanded("{8..11}") == ["8", "9", "10", "11"])
    #expect(try ShardPattern.expanded("{008..011}").last == "011")
    for (pattern, message) in [
      ("a{1..", "'{' without '}'"), ("a{3..1}", "expected {FIRST..LAST}"),
      ("{0..99999999}", "expected {FIRST..LAST}"), ("{0..9999}{0..9999}", "more than"),
      ("{a,{b,c}}", "braces within braces"),
    ] {
      let error = #expect(throws: TernError.self) { try ShardPattern.files(pattern) }
      #expect(error?.kind == .usage && error?.message.contains(message) == true, "\(pattern)")
    }
    let error = #expect(throws: TernError.self) { try DataSource.open("tar:/nowhere/{0..3}.tar") }
    #expect(error?.kind == .notFound)
  }
}

extension TargetSelection {
  /// Nothing is held out for testing.
  fileprivate static var all: TargetSelection { TargetSelection(testSplit: 0) }
}

extension ImageFolderDataset.Files {
  /// The pictures of a folder per class.
  fileprivate func adding(_ folder: String) throws -> Self {
    var (result, leftOut) = (self, LeftOut())
    for (number, name) in classNames.enumerated() {
      try result.add(folder: "\(folder)/\(name)", class: Int32(number), &leftOut)
    }
    return result
  }
}
