import Foundation
import TernCore
import TernData
import Testing

/// What each format's reader makes of good files and of bad ones.
@Suite struct FormatTests {
  /// All samples of a set as plain values, in order.
  private func samples(_ set: any Dataset) throws -> [(images: [Float], labels: [Int32])] {
    try batches(
      BatchLoader(
        set, batchSize: 1, normalization: try Normalization("none", statisticsOf: set)))
  }

  /// CIFAR-10's six files, with two records each.
  private func writeCIFAR10(_ files: FixtureFiles) throws {
    for (index, name) in ((1...5).map { "data_batch_\($0)" } + ["test_batch"]).enumerated() {
      let record = { (label: Int) in
        [UInt8(label)] + (0..<3072).map { UInt8(truncatingIfNeeded: $0 / 1024 * 50 + index) }
      }
      try files.write("\(name).bin", record(index) + record(9))
    }
  }

  @Test func readsCIFAR() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try writeCIFAR10(files)
    let source = try DataSource.open("cifar10:\(files.directory)")
    #expect(source.training.count == 10)
    #expect(source.test.count == 2)
    #expect(source.training.sampleShape == [3, 32, 32])
    let all = try samples(source.training)
    #expect(all.flatMap(\.labels) == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9])
    #expect(all[4].images[0] == 2.0 / 255)
    #expect(all[4].images[2048] == 102.0 / 255)
    #expect(source.training.classNames[9] == "truck")

    let records = (0..<3).flatMap { [7, UInt8($0 + 40)] + [UInt8](repeating: 9, count: 3072) }
    try files.write("train.bin", records)
    try files.write("test.bin", Array(records.prefix(3074)))
    let hundred = try DataSource.open("cifar100:\(files.directory)")
    #expect(try samples(hundred.training).flatMap(\.labels) == [40, 41, 42])
    #expect(hundred.test.classCount == 100)
  }

  @Test func readsTables() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let header = "a,Label,\"b c\"\r\n1,cat,-2.5\r\n\r\n3e1,\"dog\", 4\r\n"
    try files.write("train.csv", Array(header.utf8))
    try files.write("test.csv", Array("b c,LABEL,a\n8,dog,7".utf8))
    let source = try DataSource.open("csv:\(files.path("train.csv")),\(files.path("test.csv"))")
    #expect(source.training.classNames == ["cat", "dog"])
    #expect(source.training.sampleShape == [2])
    #expect(try samples(source.training).map(\.images) == [[1, -2.5], [30, 4]])
    #expect(try samples(source.test).map(\.labels) == [[1]])
    #expect(try samples(source.test).map(\.images) == [[7, 8]])

    // Other separators; quotes in quotes; a line that ends within quotes.
    for separator in [",", ";", "\t"] {
      let rows = ["a b|label|c", "1|\"x\"\"y\n\"\"\"|2", "  ", "3|\"p,q;\tr\"|4"]
      let text = rows.joined(separator: "\n").replacing("|", with: separator)
      try files.write("other.csv", Array(text.utf8))
      let path = files.path("other.csv")
      let other = try DataSource.open("csv:\(path),\(path)").training
      #expect(other.classNames == ["p,q;\tr", "x\"y\n\""])
      #expect(try samples(other).map(\.images) == [[1, 2], [3, 4]])
    }

    // Columns that changed places are found by their names.
    try files.write("ab.csv", Array("a,b,label\n1,2,x\n1,2,y\n".utf8))
    try files.write("ba.csv", Array("b,a,label\n2,1,x\n".utf8))
    let paths = ["ab.csv", "ba.csv"].map(files.path)
    let swapped = try DataSource.open("csv:\(paths[0]),\(paths[1])")
    #expect(try samples(swapped.test).map(\.images) == [[1, 2]])
    #expect(swapped.notes.contains { $0.contains("another order") })

    // No header: the last column is the class; every fifth sample of a class is for testing.
    let rows = (0..<10).map { "\($0),0.5,\($0 % 2 + 1)\n" }.joined()
    try files.write("plain.csv", Array(rows.utf8))
    let plain = try DataSource.open("csv:\(files.path("plain.csv"))")
    #expect(plain.training.classNames == ["1", "2"])
    #expect(try samples(plain.test).map(\.images) == [[8, 0.5], [9, 0.5]])
    #expect(plain.training.count == 8)
  }

  @Test func readsArrays() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try ArrayFixtures.pictures.write(to: URL(fileURLWithPath: files.path("a.npz")))
    let source = try DataSource.open("npz:\(files.path("a.npz"))")
    #expect(source.training.sampleShape == [3, 2, 2])
    let all = try samples(source.training)
    #expect(all.map(\.labels) == [[1], [0]])
    // [H, W, C] has become [C, H, W].
    #expect(all[1].images == [12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23].map { $0 / 255 })
    #expect(try samples(source.test)[0].images[0] == 100.0 / 255)

    try ArrayFixtures.vectors.write(to: URL(fileURLWithPath: files.path("b.npz")))
    let vectors = try DataSource.open("npz:\(files.path("b.npz"))")
    #expect(try samples(vectors.training).map(\.images) == [[0.5, -1], [2, 3], [4, 5], [6, 7]])
    #expect(try samples(vectors.test).map(\.images) == [[8, 9]])
  }

  @Test func readsFoldersOfPictures() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let names = ["colorPNG", "greyPNG", "colorJPEG", "inkJPEG", "turnedJPEG"]
    for (set, folder) in [("train", "cat"), ("train", "dog"), ("val", "dog"), ("test", "cat")] {
      let path = files.path("\(set)/\(folder)")
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for name in names {
        let ending = name.hasSuffix("PNG") ? "png" : "JPG"
        try PictureFixture.named(name).data.write(
          to: URL(fileURLWithPath: "\(path)/\(name).\(ending)"))
      }
      for other in ["notes.txt", "._greyPNG.png"] {
        try Data("no picture".utf8).write(to: URL(fileURLWithPath: "\(path)/\(other)"))
      }
    }
    let source = try DataSource.open("images:\(files.directory)", pictures: PictureOptions(size: 4))
    #expect(source.training.count == 10)
    #expect(source.test.count == 5)
    #expect(source.validation?.count == 5)
    #expect(source.training.classNames == ["cat", "dog"])
    #expect(source.training.sampleShape == [3, 4, 4])
    #expect(try samples(source.test).flatMap(\.labels) == [0, 0, 0, 0, 0])
    for (image, _) in try samples(source.training) { #expect(image.allSatisfy { 0...1 ~= $0 }) }

    // Without parts, every fifth picture of a class is for testing.
    let flat = try DataSource.open(
      "images:\(files.path("train"))", pictures: PictureOptions(size: 8))
    #expect(flat.training.count == 8)
    #expect(flat.test.count == 2)

    // A damaged picture is found when its turn comes, and named.
    try Data([0xFF, 0xD8, 0xFF]).write(to: URL(fileURLWithPath: files.path("train/dog/a.jpg")))
    let damaged = try DataSource.open(
      "images:\(files.directory)", pictures: PictureOptions(size: 4))
    let loader = BatchLoader(
      damaged.training, batchSize: 2,
      normalization: Normalization(means: [0, 0, 0], deviations: [1, 1, 1]), workers: 2)
    let error = #expect(throws: TernError.self) { while try loader.next() != nil {} }
    #expect(error?.message == "\(files.path("train/dog/a.jpg")): damaged JPEG: truncated")
  }

  private struct BadInput {
    let name: String
    let bytes: [UInt8]
    let specification: String
    let message: String

    init(_ name: String, _ bytes: [UInt8], _ specification: String, _ message: String) {
      (self.name, self.bytes, self.specification, self.message) = (
        name, bytes, specification, message
      )
    }

    static func table(_ text: String, _ message: String) -> BadInput {
      BadInput("a.csv", Array(text.utf8), "csv:@/a.csv", "@/a.csv: " + message)
    }

    static func array(_ bytes: [UInt8], _ message: String) -> BadInput {
      BadInput("a.npz", bytes, "npz:@/a.npz", "@/a.npz: " + message)
    }
  }

  /// A ZIP file of stored members, as far as a reader looks at it.
  private func zip(
    _ members: [(name: String, bytes: [UInt8])], method: UInt8 = 0, flags: UInt8 = 0,
    claimed: UInt32? = nil, checksum: [UInt8]? = nil
  ) -> [UInt8] {
    func little(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for (name, bytes) in members {
      let sum = checksum ?? FixtureFiles.checksum(bytes).reversed()
      let sizes = little(bytes.count, 4) + little(claimed.map(Int.init) ?? bytes.count, 4)
      let common = [20, 0, flags, 0, method, 0, 0, 0, 0, 0] + sum + sizes + little(name.count, 2)
      directory += [0x50, 0x4B, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 12)
      directory += little(file.count, 4) + Array(name.utf8)
      file += [0x50, 0x4B, 3, 4] + common + [0, 0] + Array(name.utf8) + bytes
    }
    let counts = little(members.count, 2) + little(members.count, 2)
    return file + directory + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + counts
      + little(directory.count, 4) + little(file.count, 4) + [0, 0]
  }

  private func npy(_ header: String, _ bytes: [UInt8], version: UInt8 = 1) -> [UInt8] {
    [0x93] + Array("NUMPY".utf8) + [version, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + bytes
  }

  private func arrays(_ x: [UInt8], _ y: [UInt8]) -> [UInt8] {
    zip([("x_train.npy", x), ("y_train.npy", y)])
  }

  private func header(_ type: String, _ shape: String, fortran: String = "False") -> String {
    "{'descr': '\(type)', 'fortran_order': \(fortran), 'shape': (\(shape)), }\n"
  }

  /// Every byte order, and the first axis running fastest.
  @Test func readsArraysOfAnyLayout() throws {
    func bytes(_ values: [Float], _ type: String) -> [UInt8] {
      values.flatMap { value -> [UInt8] in
        let little =
          switch type.dropFirst() {
          case "u1": [UInt8(value)]
          case "i2": withUnsafeBytes(of: Int16(value).littleEndian, Array.init)
          case "i8": withUnsafeBytes(of: Int64(value).littleEndian, Array.init)
          case "f2": withUnsafeBytes(of: Float16(value).bitPattern.littleEndian, Array.init)
          case "f4": withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
          default: withUnsafeBytes(of: Double(value).bitPattern.littleEndian, Array.init)
          }
        return type.hasPrefix(">") ? little.reversed() : little
      }
    }
    let values = (0..<12).map(Float.init)
    // Of the element [n, h, w] in memory, where n runs fastest.
    let columns = (0..<3).flatMap { w in
      (0..<2).flatMap { h in (0..<2).map { n in values[(n * 2 + h) * 3 + w] } }
    }
    for type in ["|u1", "<i2", ">i2", ">i8", "<f2", ">f2", ">f4", "<f8", ">f8"] {
      for isFortran in [false, true] {
        let files = try FixtureFiles()
        defer { files.remove() }
        let order = isFortran ? "True" : "False"
        let x = npy(
          header(type, "2, 2, 3", fortran: order), bytes(isFortran ? columns : values, type))
        let y = npy(header(">i8", "2,"), bytes([1, 0], ">i8"))
        try files.write(
          "a.npz",
          zip([("x_train.npy", x), ("y_train.npy", y), ("x_test.npy", x), ("y_test.npy", y)]))
        let set = try DataSource.open("npz:\(files.path("a.npz"))").training
        #expect(set.sampleShape == [1, 2, 3])
        let all = try samples(set)
        let unit: Float = type == "|u1" ? 255 : 1
        #expect(all.flatMap(\.images) == values.map { $0 / unit }, "\(type) \(order)")
        #expect(all.flatMap(\.labels) == [1, 0])
      }
    }
  }

  @Test func badFilesAreNamedWithTheirFault() throws {
    let x = npy(header("|u1", "2, 3"), [1, 2, 3, 4, 5, 6])
    let y = npy(header("|u1", "2,"), [0, 1])
    let nan = [UInt8](repeating: 0xFF, count: 8)
    let record = [UInt8](repeating: 1, count: 3073)
    let inputs: [BadInput] = [
      .table("", "no line with a sample"),
      .table("a,b,label\n", "no line with a sample"),
      .table(
        "1\n2\n",
        "line 1: 1 column where at least 2 belong, separated by commas, semicolons or tabs"),
      .table("a,b,label\n1,2\n", "line 2: 2 fields where 3 belong"),
      .table("a,b,label\n1,2,x,4\n", "line 2: 4 fields where 3 belong"),
      .table(
        "a,b,label\n1,2,x,\n", "line 2: 4 fields where 3 belong; the line ends in a separator"),
      .table("a,b,label\n1,two,x\n", "line 2: column 'b': expected a number, got 'two'"),
      .table(
        "a,b,label\n1,,x\n", "line 2: column 'b': no number; fill it in, or leave the line out"),
      .table(
        "class,a,b\nx,1,2\n",
        "line 2: column 'class': expected a number, got 'x'; the class is taken from the last column, "
          + "unless one is called label"),
      .table(
        "a;b;label\n1,5;2;x\n",
        "line 2: column 'a': expected a number, got '1,5'; "
          + "decimals are written with a point"),
      .table(
        "a,b,label\n" + String(repeating: "\"\n", count: 1) + "1,2,x\n",
        "line 2: a quote is not closed"),
      BadInput(
        "a.csv", [0xFF, 0xFE, 0x61, 0], "csv:@/a.csv", "@/a.csv: text in UTF-16; save it as UTF-8"),
      .table("a,b,label\n1,nan,x\n", "line 2: column 'b': expected a number, got 'nan'"),
      .table("a,b,label\n1,1e99,x\n", "line 2: column 'b': 1e99 is too large for a float32"),
      .table("a,b,label\n1,2 3,x\n", "line 2: column 'b': expected a number, got '2 3'"),
      .table("a,b,label\n1,2,\n", "line 2: column 'label': no label"),
      .table("a,b,label\n1,\"2,x\n", "line 2: a quote is not closed"),
      .table("a,b,label\n\n1,\"2\"3,x\n", "line 3: text follows a closing quote"),
      .table("a,b,label\n1,2\0,x\n", "line 2: holds a byte 0: not a text file"),
      .table("a,b,label\n1,2,x\n3,4,x\n", "all samples have the label 'x'"),
      BadInput(
        "a.csv", Array("a,b,label\n1,2,x\n3,4,y\n".utf8), "csv:@/a.csv",
        "csv:@/a.csv: no test set, and no class has the five samples to hold one out of"),
      .array([], "not a ZIP file, or truncated"),
      .array(Array(ArrayFixtures.pictures.dropLast(30)), "not a ZIP file, or truncated"),
      .array(
        zip([("z.npy", x)]),
        "expected arrays x_train and y_train, or images and labels; it holds z.npy"),
      .array(
        zip([("x.npy", x)]),
        "x: the training set has no labels; expected arrays x_train and y_train, or images and labels; "
          + "it holds x.npy"),
      .array(
        zip([("x_train.npy", x), ("y_train.npy", y), ("X_Test.npy", x)]),
        "X_Test: the test set has no labels"),
      .array(
        zip([("x_train.npy", x), ("y_train.npy", y), ("val_labels.npy", y)]),
        "val_labels: the validation set has no samples"),
      .array(
        zip([("x_train.npy", x), ("y_train.npy", y), ("train_images.npy", x)]),
        "x_train and train_images are both samples of the training set"),
      .array(
        zip([("x_train.npy", x), ("y_train.npy", y)], method: 12),
        "x_train.npy: packed by method 12; only stored (0) and deflated (8) are read"),
      .array(
        zip([("x_train.npy", x), ("y_train.npy", y)], method: 8),
        "x_train.npy: the deflated data is corrupt"),
      .array(zip([("x_train.npy", x), ("y_train.npy", y)], flags: 1), "x_train.npy: encrypted"),
      .array(
        zip([("x_train.npy", x), ("y_train.npy", y)], method: 8, claimed: 1 << 30),
        "x_train.npy: \(x.count) packed bytes cannot hold 1073741824"),
      .array(
        zip([("x_train.npy", x), ("y_train.npy", y)], checksum: [1, 2, 3, 4]),
        "x_train.npy: the checksum does not match"),
      .array(arrays([1, 2, 3], y), "x_train: not an NPY file"),
      .array(arrays(npy("{}", [], version: 9), y), "x_train: NPY version 9"),
      .array(arrays(npy("{}", []), y), "x_train: the header names no simple type: {}"),
      .array(
        arrays(npy(header("<c8", "2, 3"), []), y),
        "x_train: elements of type <c8 (complex numbers); known are "
          + "u1, i1, b1, u2, i2, u4, i4, i8, u8, f2, f4, f8"),
      .array(
        arrays(x, npy(header("<U3", "2,"), [])),
        "y_train: elements of type <U3 (text); known are "
          + "u1, i1, b1, u2, i2, u4, i4, i8, u8, f2, f4, f8"),
      .array(
        arrays(npy(header("|u1", "2, 3", fortran: "Maybe"), []), y),
        "x_train: the header does not say the order of axes: "
          + header("|u1", "2, 3", fortran: "Maybe").dropLast()),
      .array(arrays(npy(header("|u1", "2, 0"), []), y), "x_train: a shape of [2, 0]"),
      .array(
        arrays(npy(header("|u1", "4294967296, 4294967296"), []), y),
        "x_train: a shape of [4294967296, 4294967296]"),
      .array(
        arrays(npy(header("|u1", "2, 4"), [1, 2]), y),
        "x_train: 2 bytes of elements where its shape [2, 4] needs 8"),
      .array(
        arrays(y, y),
        "x_train: a shape of [2] where [N, D], [N, H, W], [N, H, W, C] or [N, C, H, W] belongs, "
          + "with C of 1 or 3"),
      .array(
        arrays(x, npy(header("|u1", "3,"), [0, 1, 2])),
        "y_train: labels of shape [3] for 2 samples in x_train"),
      .array(
        arrays(x, npy(header("<f4", "2,"), Array(nan))),
        "y_train: labels of type f4 where integers belong; numbers are predicted by task regression"
      ),
      .array(
        arrays(npy(header("<f4", "2, 1"), Array(nan)), y),
        "x_train: sample 0 holds a number that is not finite"),
      BadInput(
        "data_batch_2.bin", [], "cifar10:@",
        "@/data_batch_2.bin: 0 bytes are not a whole number of records of 3073"),
      BadInput(
        "data_batch_2.bin", record + [1], "cifar10:@",
        "@/data_batch_2.bin: 3074 bytes are not a whole number of records of 3073"),
      BadInput(
        "test_batch.bin", record + [11] + record.dropFirst(), "cifar10:@",
        "@/test_batch.bin: label 11 of record 1 is not in 0..<10"),
      BadInput(
        "fine_label_names.txt", Array("a\nb".utf8), "cifar100:@",
        "@/fine_label_names.txt: 2 names where 100 belong"),
      BadInput(
        "a.png", [], "images:@",
        "@: 0 folders, at least 2 classes with a folder each belong here"),
    ]
    for input in inputs {
      let files = try FixtureFiles()
      defer { files.remove() }
      func placed(_ text: String) -> String { text.replacing("@", with: files.directory) }
      try writeCIFAR10(files)
      try files.write(input.name, input.bytes)
      let error = #expect(throws: TernError.self, "\(input.message)") {
        try DataSource.open(placed(input.specification))
      }
      #expect(error?.message == placed(input.message))
      #expect(error?.kind == .badData)
    }
  }

  @Test func missingFilesAreNotFound() {
    for (specification, message) in [
      ("cifar10:/nowhere", "/nowhere: no such folder"),
      ("images:/nowhere", "/nowhere: no such folder"),
      ("csv:/nowhere.csv", "/nowhere.csv: no such file"),
      ("npz:/nowhere.npz", "/nowhere.npz: no such file"),
      ("npz:/tmp", "/tmp: a folder, not a file"),
    ] {
      let error = #expect(throws: TernError.self) { try DataSource.open(specification) }
      #expect(error?.message == message)
      #expect(error?.kind == .notFound)
    }
  }
  @Test func theWrongVersionOfCIFARIsSaid() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    for (name, specification, missing) in [
      ("data_batch_1", "cifar10", "data_batch_1.bin"), ("train", "cifar100", "train.bin"),
    ] {
      try files.write(name, [0x80])
      let error = #expect(throws: TernError.self) {
        try DataSource.open("\(specification):\(files.directory)")
      }
      #expect(error?.kind == .notFound)
      #expect(
        error?.message == "\(files.path(missing)): no such file; \(name) is of the version for "
          + "Python, get cifar-\(specification.dropFirst(5))-binary.tar.gz")
      try FileManager.default.removeItem(atPath: files.path(name))
    }
  }
}
