import Foundation
import TernCore
import TernTestSupport
import Testing

@testable import TernData

/// Samples in HDF5 files, which h5py wrote (`Tests/format_cases.py`).
@Suite struct HDF5Tests {
  private static let folder =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/FormatCases/hdf5/"
  private static let all = TargetSelection(testSplit: 0)

  /// Element i of the samples is i / 4, and labels are 0, 1, 0, 1.
  @Test(arguments: ["earliest.h5", "chunked.h5", "packed.h5"])
  func valuesAreReadOfEveryForm(name: String) throws {
    let set = try DataSource.open("hdf5:\(Self.folder)\(name)", targets: Self.all).training
    #expect(set.count == 4 && set.sampleShape == [1, 2, 3] && set.classNames == ["0", "1"])
    for index in 0..<4 {
      #expect(try set.values(index) == (0..<6).map { Float(6 * index + $0) / 4 })
      #expect(set.label(index) == Int32(index % 2))
    }
  }

  @Test func bytesArePicturesAndOtherArraysHaveNames() throws {
    let bytes = try DataSource.open("hdf5:\(Self.folder)latest.h5", targets: Self.all).training
    #expect(bytes.sampleShape == [1, 2, 3])
    #expect(try bytes.values(3).map { ($0 * 255).rounded() } == [18, 19, 20, 21, 22, 23])
    let place = "hdf5:\(Self.folder)packed.h5"
    let numbers = try DataSource.open(
      place, targets: TargetSelection(.numbers, columns: ["numbers"], testSplit: 0))
    #expect(numbers.training.targetShape == [2])
    #expect(try numbers.training.numbers(3) == [0.5, -1])
    #expect(numbers.notes.contains { $0.contains("array 'label'") }, "\(numbers.notes)")
    // What holds the samples, and what is predicted, as they are named; truth values are 0 and 1.
    let named = try DataSource.open(
      place,
      targets: TargetSelection(samples: "numbers", columns: ["truth"], testSplit: 0))
    #expect(try named.training.sampleShape == [2] && named.training.values(1) == [0.5, -1])
    #expect((0..<4).map(named.training.label) == [0, 1, 0, 1])
  }

  /// Blue is 1, green 2, red 4 in the file.
  @Test(arguments: [PictureOptions.ChannelOrder.rgb, .bgr])
  func coloursAreTurnedWhereTheyAreSaidToBe(order: PictureOptions.ChannelOrder) throws {
    var pictures = PictureOptions()
    pictures.channelOrder = order
    let set = try DataSource.open(
      "hdf5:\(Self.folder)colours.h5", pictures: pictures, targets: Self.all
    ).training
    let colours: [Float] = order == .rgb ? [1, 2, 4] : [4, 2, 1]
    for index in 0..<4 {
      #expect(try set.values(index) == colours.flatMap { [$0, $0, $0, $0] })
    }
    // What is no picture of three colours has no order.
    let grey = try DataSource.open(
      "hdf5:\(Self.folder)earliest.h5", pictures: pictures, targets: Self.all)
    #expect(try grey.training.values(0) == (0..<6).map { Float($0) / 4 })
  }

  /// The files of a list are one set, and another may be for testing.
  @Test func listsAreOneSet() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    for (name, number) in [("earliest.h5", 0), ("chunked.h5", 1), ("earliest.h5", 2)] {
      try FileManager.default.copyItem(
        atPath: Self.folder + name, toPath: files.path("part \(number).h5"))
    }
    // Beside the list, and named in full; blank lines and another system's line ends.
    try files.write("list.txt", Array("part 0.h5\r\n\n  \(files.path("part 2.h5"))\n".utf8))
    let data = try DataSource.open("hdf5:\(files.path("list.txt")),\(files.path("part 1.h5"))")
    #expect(data.training.count == 8 && data.test.count == 4)
    #expect(try data.training.values(5) == data.test.values(1))
    #expect(
      data.notes[0].contains("training 8") && data.notes[0].contains("test 4"), "\(data.notes)")
    try files.write("mixed.txt", Array("part 0.h5\npart 1.h5\n".utf8))
    try files.write("missing.txt", Array("part 0.h5\n\npart 9.h5\n".utf8))
    try files.write("other.txt", Array("part 0.h5\nlist.txt\n".utf8))
    for (name, kind, message) in [
      ("mixed.txt", TernError.Kind.badData, "part 1.h5: data: f8[4, 1, 2, 3] where"),
      ("missing.txt", .notFound, "missing.txt:3: no file 'part 9.h5'"),
      ("other.txt", .badData, "other.txt:2: 'list.txt' is no HDF5 file"),
      ("nowhere.h5", .notFound, "no file"),
    ] {
      let error = #expect(throws: TernError.self) {
        try DataSource.open("hdf5:\(files.path(name))")
      }
      #expect(error?.kind == kind && error!.message.contains(message), "\(error!)")
    }
  }

  @Test(arguments: [
    ("words", "words: its elements are no numbers"),
    ("nothing", "nothing: a shape of [1099511627776, 4]: 0 packed bytes cannot hold"),
    ("outside", "outside: its elements are in other files"),
    ("hole", "hole: sample 0 holds a number that is not finite"),
    ("empty", "empty: a shape of [0, 2]"),
    ("link", "link: it is a link to something else"),
    ("elsewhere", "elsewhere: it is a link to something else"),
    ("group", "expected arrays data and label"), ("no", "expected arrays data and label"),
  ])
  func whatCannotBeReadIsOneLine(name: String, message: String) throws {
    let error = #expect(throws: TernError.self) {
      try DataSource.open(
        "hdf5:\(Self.folder)odd.h5", targets: TargetSelection(samples: name, testSplit: 0))
    }
    #expect(error?.kind == .badData && error!.message.contains(message), "\(error!)")
    #expect(!error!.message.contains("\n"))
  }

  @Test func labelsAreWholeNumbers() throws {
    let error = #expect(throws: TernError.self) {
      try DataSource.open(
        "hdf5:\(Self.folder)odd.h5",
        targets: TargetSelection(samples: "label", columns: ["fraction"], testSplit: 0))
    }
    #expect(error!.message.contains("sample 0: the label 0.5 where a whole number"), "\(error!)")
  }

  /// The library would follow what a file says anywhere; a process of its own may be ended by it.
  @Test(arguments: ["earliest.h5", "packed.h5"])
  func damagedFilesAreOneLine(name: String) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.folder + name)))
    let path = files.path("x.h5")
    // What nobody reads may be cut off.
    let faults = try DamagedFile.faults(
      of: whole, at: path, needed: whole.count / 2, masks: [0xFF], step: 37
    ) {
      let set = try DataSource.open("hdf5:\(path)", targets: Self.all).training
      for index in 0..<set.count { _ = try set.values(index) }
    }
    #expect(faults.isEmpty, "\(faults.prefix(10))")
  }

  /// Cut where its first bytes do not yet say what it is. Cutting it at every length takes minutes, since each is read
  /// in a process of its own.
  @Test func filesCutInTheirFirstBytesAreOneLine() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.folder + "latest.h5")))
    let path = files.path("x.h5")
    let faults = try DamagedFile.faults(
      of: Array(whole.prefix(20)), at: path, needed: 20, masks: []
    ) {
      _ = try DataSource.open("hdf5:\(path)", targets: Self.all)
    }
    #expect(faults.isEmpty, "\(faults.prefix(10))")
  }
}
