import Foundation
import Tern
import TernTestSupport
import Testing

@testable import TernBenchmark
@testable import TernConformance

/// The page on suites says what the reader does: every operation, every key, every default.
@Suite struct SuitePageTests {
  private static let page: String = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let path = root.appendingPathComponent("Sources/TernBenchmark/Suites.md").path
    return String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }()

  /// The cells of the tables' rows, without the quotes of code.
  private static let rows: [[String]] = page.split(separator: "\n").compactMap { line in
    guard line.hasPrefix("| `") else { return nil }
    return line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
  }

  private static func code(_ cell: String) -> String { cell.trimmingCharacters(in: ["`"]) }

  private static func values(_ cell: String) throws -> [String: AttributeValue] {
    guard case .map(let values) = try JSON(parsing: code(cell)).attribute else { return [:] }
    return values
  }

  /// An operation with keys of its own: the keys, with what stands for those that are left out.
  struct Form: Sendable, CustomTestStringConvertible {
    let operation: String
    let keys: [(name: String, standard: String?)]
    let example: [String: AttributeValue]
    let shape: String

    var testDescription: String { operation }
  }

  static let forms: [Form] = rows.filter { $0.count == 4 }.map { row in
    Form(
      operation: code(row[0]),
      keys: row[1].components(separatedBy: ", ").map { key in
        let parts = key.components(separatedBy: " = ")
        return (code(parts[0]), parts.count > 1 ? parts[1] : nil)
      }, example: (try? values(row[2])) ?? [:], shape: code(row[3]))
  }

  @Test func everyOperationIsOnThePageOnce() {
    #expect(Self.forms.map(\.operation) == ["conv2d", "linear", "matmul"])
    let optimizers = Set(OpCase.all.map(\.operation).filter { $0.hasPrefix("optimizer.") })
    #expect(
      Self.rows.map { Self.code($0[0]) }.sorted()
        == (OperationSpec.all.map(\.name) + optimizers).sorted())
    for name in BenchmarkSuite.embeddedNames { #expect(Self.page.contains("`\(name)`")) }
  }

  @Test(arguments: forms) func theKeysAreThoseThatAreRead(form: Form) throws {
    #expect(try BenchmarkCase(form.example).shape == form.shape)
    // What the reader knows, it says where it meets something else.
    let fault = try #require(throws: ShapeError.self) {
      try BenchmarkCase(form.example.merging(["nosuch": .int(1)]) { $1 })
    }
    let known = form.keys.map(\.name).sorted().joined(separator: ", ")
    #expect(fault.description.contains("one of the attributes \(known), got"))
    for (key, standard) in form.keys {
      var values = form.example.filter { $0.key != key }
      guard let standard else {
        #expect(throws: ShapeError.self, "\(key) is needed") { try BenchmarkCase(values) }
        continue
      }
      let without = try BenchmarkCase(values)
      values[key] = try JSON(parsing: standard).attribute
      let with = try BenchmarkCase(values)
      #expect(with.shape == without.shape, "\(key)")
      #expect(with.opCase.inputs == without.opCase.inputs, "\(key)")
      #expect(with.opCase.attributes == without.opCase.attributes, "\(key)")
    }
  }

  /// What the page shows is not only read but measured.
  @Test func theExamplesRun() throws {
    var benchmark = try KernelBenchmark(
      device: TestDevices.open("cpu"), peak: DevicePeak(gflops: 50, gbs: 10))
    benchmark.iterations = 1
    for row in Self.rows {
      let testCase = try BenchmarkCase(Self.values(row[row.count == 4 ? 2 : 1]))
      #expect(testCase.operation == Self.code(row[0]))
      for pass in testCase.passes {
        let result = benchmark.run(testCase, pass)
        #expect(
          result.status == .passed,
          "\(testCase.key) \(pass.rawValue): \(result.message ?? "")")
      }
    }
  }

  @Test func theFileOnThePageIsRead() throws {
    let file = try #require(
      Self.page.components(separatedBy: "```json\n").dropFirst().first?
        .components(separatedBy: "```").first)
    let suite = try BenchmarkSuite(JSON(parsing: file), source: "the page")
    #expect(suite.cases.map(\.count).contains(2))
  }
}
