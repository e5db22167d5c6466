import Foundation
import Tern
import TernSuites

/// A list of operations on given shapes, to be measured or tuned: data, not code.
///
/// ```json
/// {"name": "mine", "cases": [
///   {"op": "conv2d", "batch": 32, "in_channels": 64, "height": 56, "width": 56,
///    "out_channels": 64, "kernel_size": [3, 3], "padding": [1, 1]},
///   {"op": "linear", "batch": 64, "in_features": 400, "out_features": 120, "bias": true},
///   {"op": "matmul", "m": 512, "n": 512, "k": 512},
///   {"op": "softmax", "input": [256, 1000], "dim": 1},
///   {"op": "optimizer.adam", "parameter": [1000000], "lr": 0.001}
/// ]}
/// ```
///
/// See ``BenchmarkCase/init(_:)`` for what a case may say.
package struct BenchmarkSuite: Sendable {
  package let name: String
  package let cases: [BenchmarkCase]

  package init(name: String, cases: [BenchmarkCase]) {
    self.name = name
    self.cases = cases
  }

  private static let maximumByteCount = 4 << 20
  private static let maximumCaseCount = 10_000

  /// The suites in the binary, by name.
  package static let embeddedNames = (0..<tern_suite_count()).map {
    String(cString: tern_suite_name($0))
  }

  /// The suite of that name in the binary, or else the one in the file of that path.
  ///
  /// - Parameter batchSize: the `batch` of convolutions and linear layers; the suite's own where `nil`.
  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  package init(_ nameOrPath: String, batchSize: Int? = nil) throws {
    if let index = Self.embeddedNames.firstIndex(of: nameOrPath) {
      try self.init(
        JSON(parsing: String(cString: tern_suite_text(index))), source: "suite \(nameOrPath)",
        batchSize: batchSize)
      return
    }
    guard FileSystem.exists(nameOrPath) else {
      throw TernError(
        .notFound,
        "\(nameOrPath): neither a file nor one of the suites "
          + Self.embeddedNames.joined(separator: ", "))
    }
    try self.init(
      JSON(contentsOf: nameOrPath, maximumByteCount: Self.maximumByteCount), source: nameOrPath,
      batchSize: batchSize)
  }

  /// - Parameter source: how errors name the text.
  /// - Throws: ``TernError`` of kind `badData`, with the number of the case.
  package init(_ json: JSON, source: String, batchSize: Int? = nil) throws {
    func fault(_ message: String) -> TernError { TernError(.badData, "\(source): \(message)") }
    guard case .object(let members) = json else { throw fault("expected a JSON object") }
    let known = ["name", "about", "cases"]
    if let unknown = members.first(where: { !known.contains($0.name) }) {
      throw fault("unknown key '\(unknown.name)'; known are \(known.joined(separator: ", "))")
    }
    guard let name = json["name"]?.stringValue else { throw fault("'name' is not a string") }
    guard case .array(let elements)? = json["cases"] else { throw fault("'cases' is not a list") }
    guard (1...Self.maximumCaseCount).contains(elements.count) else {
      throw fault("expected 1 to \(Self.maximumCaseCount) cases, got \(elements.count)")
    }
    self.name = name
    cases = try elements.enumerated().map { index, element in
      do {
        guard case .map(var values) = element.attribute else {
          throw TernError(.badData, "expected a JSON object")
        }
        if let batchSize, values["batch"] != nil, values["op"] != .string("matmul") {
          values["batch"] = .int(batchSize)
        }
        return try BenchmarkCase(values)
      } catch {
        throw fault("case \(index + 1): \(error)")
      }
    }
    var seen: Set<String> = []
    for (index, testCase) in cases.enumerated() where !seen.insert(testCase.key).inserted {
      throw fault("case \(index + 1): the same as an earlier one; give 'count' or another 'name'")
    }
  }
}
