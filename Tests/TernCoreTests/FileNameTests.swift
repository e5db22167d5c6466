import Foundation
import TernCore
import Testing

@Suite struct FileNameTests {
  /// Names that are UTF-8, in both forms of é; that are not; and that hold the characters which stand
  /// for bytes.
  static let names: [[UInt8]] = [
    Array("plain".utf8), Array("caf\u{E9}".utf8), Array("cafe\u{301}".utf8), [],
    [0x63, 0x61, 0x66, 0xE9], [0xE9], [0xFF, 0xFE], [0xC3], [0xC3, 0x28], [0xE2, 0x82],
    [0xF4, 0x90, 0x80, 0x80], [0xC0, 0x80], [0xED, 0xB3, 0xA9], Array("\u{10FEE9}".utf8),
    [0x61, 0xF4, 0x8F, 0xBB, 0xA9, 0xE9, 0x62], Array("日本\u{1F600}".utf8) + [0x80],
  ]

  @Test(arguments: names)
  func anyBytesComeBackFromTheText(name: [UInt8]) {
    let text = FileName.text(name)
    #expect(FileName.bytes(text) == name)
    #expect(text.withFilePath { strlen($0) } == name.count)
  }

  @Test func noTwoNamesAreTheSameText() {
    #expect(Set(Self.names.map { Array(FileName.text($0).utf8) }).count == Self.names.count)
  }

  @Test func peopleSeeTheBytes() {
    #expect(FileName.shown(FileName.text([0x63, 0x61, 0x66, 0xE9])) == "caf\\xE9")
    #expect(FileName.shown("café") == "café")
  }

  @Test func foldersAreReadAndWrittenByTheirBytes() throws {
    let root = NSTemporaryDirectory() + "tern-names-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }
    let names = Self.names.filter { !$0.isEmpty }.map { FileName.text($0) }
    for name in names {
      #expect(FileSystem.createFolder("\(root)/\(name)/inner"))
      #expect(FileSystem.kind("\(root)/\(name)") == .folder)
    }
    let found = try #require(FileSystem.names(in: root))
    #expect(Set(found.map { Array($0.utf8) }) == Set(names.map { Array($0.utf8) }))
    #expect(FileSystem.names(in: root + "/none") == nil)
    #expect(FileSystem.kind("\(root)/plain\0more") == nil)
    #expect(FileSystem.isSame("\(root)/plain", "\(root)/./plain/"))
    #expect(!FileSystem.isSame("\(root)/plain", root))
  }
}
