import Foundation
import Tern
import TernConformance
import TernTestSupport
import Testing

@Suite struct CoverageTests {
  /// The table in `Sources/README.md` is what `tern verify --coverage` prints.
  @Test func documentedTableIsCurrent() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/README.md").path
    let document = String(
      decoding: try #require(FileManager.default.contents(atPath: path)), as: UTF8.self)
    let table = try Coverage(
      devices: ["reference", "cpu", "opencl"].map(TestDevices.open)
    ).markdown()
    #expect(
      document.contains(table),
      "replace the table in Sources/README.md by the output of: tern verify --coverage")
  }
}
