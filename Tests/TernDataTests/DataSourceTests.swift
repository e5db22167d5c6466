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
