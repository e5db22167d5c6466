import Foundation
import TernCore
import TernData
import Testing

@Suite struct DataSourceTests {
  @Test func unknownSourcesNameTheKnownOnes() throws {
    for specification in ["imagenet", "", ":mnist"] {
      let error = #expect(throws: TernError.self) { try DataSource.open(specification) }
      #expect(error?.kind == .usage)
      for name in ["fashion-mnist", "mnist", "idx:DIR"] {
        #expect(error?.message.contains(name) == true)
      }
    }
    for specification in ["idx", "idx:", "mnist:", "fashion-mnist:", "cifar10", "csv", "npz:"] {
      let error = #expect(throws: TernError.self) { try DataSource.open(specification) }
      #expect(error?.kind == .usage)
    }
  }

  @Test(arguments: ["fashion-mnist", "mnist"])
  func namedSourcesAreSearchedInTheRoots(name: String) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    let roots = [files.path("first"), files.path("second")]
    let missing = #expect(throws: TernError.self) { try DataSource.open(name, roots: roots) }
    #expect(missing?.kind == .notFound)
    #expect(missing?.message.contains(files.path("first/\(name)")) == true)
    if name == "fashion-mnist" {
      #expect(missing?.message.hasSuffix("apt-get install dataset-fashion-mnist") == true)
    }

    let folder = files.path("second/\(name)")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try files.writeDataset(compressed: true)
    for file in try FileManager.default.contentsOfDirectory(atPath: files.directory)
    where file.hasSuffix(".gz") {
      try FileManager.default.moveItem(atPath: files.path(file), toPath: "\(folder)/\(file)")
    }
    for specification in [name, "\(name):\(folder)"] {
      let source = try DataSource.open(specification, roots: roots)
      #expect(source.specification == specification)
      #expect(source.training.count == 23)
      #expect(source.training.classNames.last == (name == "mnist" ? "9" : "Ankle boot"))
    }
  }

  /// A comma stands between two tables, or in a name: what is there decides.
  @Test func tablesMayBeNamedWithCommas() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    func write(_ name: String, _ count: Int) throws {
      try Data((0..<count).map { "\($0),\($0 % 3),\($0 % 2)\n" }.joined().utf8)
        .write(to: URL(fileURLWithPath: files.path(name)))
    }
    for (name, count) in [("a,b.csv", 20), ("c,d,e.csv", 30), ("f.csv", 40), (",\u{301}.csv", 50)] {
      try write(name, count)
    }
    func counts(_ location: String) throws -> [Int] {
      let source = try DataSource.open("csv:\(location)")
      return [source.training.count, source.test.count]
    }
    let (ab, cde, f) = (files.path("a,b.csv"), files.path("c,d,e.csv"), files.path("f.csv"))
    let marked = files.path(",\u{301}.csv")
    #expect(try counts(ab) == [16, 4])
    #expect(try counts(cde) == [24, 6])
    #expect(try counts(marked) == [40, 10])
    #expect(try counts("\(ab),\(f)") == [20, 40])
    #expect(try counts("\(f),\(ab)") == [40, 20])
    #expect(try counts("\(ab),\(cde)") == [20, 30])
    #expect(try counts("\(cde),\(marked)") == [30, 50])
    #expect(DataSource.isSame("csv:\(ab),\(f)", "csv:\(files.directory)/./a,b.csv,\(f)"))
    #expect(!DataSource.isSame("csv:\(ab),\(f)", "csv:\(f),\(ab)"))
    let faults: [(String, TernError.Kind, String)] = [
      // The one that is missing is named.
      ("\(ab),\(files.path("none.csv"))", .notFound, "none.csv: "),
      ("\(files.path("x,y.csv"))", .notFound, "no file '\(files.path("x,y.csv"))', nor"),
      ("none,no,nothing", .usage, "csv:TRAIN,TEST"), (",", .usage, "csv:TRAIN,TEST"),
      ("\(f),", .usage, "csv:TRAIN,TEST"),
    ]
    for (location, kind, fragment) in faults {
      let error = #expect(throws: TernError.self) { try DataSource.open("csv:\(location)") }
      #expect(error?.kind == kind && error?.message.contains(fragment) == true, "\(error!)")
    }
  }

  /// In every other form a comma, and a colon after the first, is a part of the name.
  @Test(arguments: ["d,e", "d:e", ",", "a b;c"]) func foldersMayHaveAnyName(name: String) throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.writeDataset()
    let folder = files.path(name)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for file in try FileManager.default.contentsOfDirectory(atPath: files.directory)
    where file.contains("ubyte") {
      try FileManager.default.moveItem(atPath: files.path(file), toPath: "\(folder)/\(file)")
    }
    #expect(try DataSource.open("idx:\(folder)").test.count == 7)
  }

  @Test func filesMayBeNamedWithADot() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.writeDataset()
    for file in try FileManager.default.contentsOfDirectory(atPath: files.directory) {
      try FileManager.default.moveItem(
        atPath: files.path(file), toPath: files.path(file.replacing("-idx", with: ".idx")))
    }
    #expect(try DataSource.open("idx:\(files.directory)").test.count == 7)
  }
}
