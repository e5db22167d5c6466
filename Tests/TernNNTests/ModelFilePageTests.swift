import Foundation
import Tern
import Testing

@testable import TernNN

/// The page on model files says what the reader does: every layer, every argument, every default,
/// every shape.
@Suite struct ModelFilePageTests {
  /// A row of the tables of layers.
  struct Row: CustomTestStringConvertible, Sendable {
    let kind: String
    /// The arguments and, where they may be left out, what stands for them.
    let arguments: [(name: String, standard: String?)]
    /// The arguments of the example, as YAML: `{out_features: 5}`.
    let example: String
    let input: [Int]
    /// What the input's elements are.
    let inputType: DataType
    let output: [Int]

    var testDescription: String { kind }
  }

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static let page: String = {
    let path = root.appendingPathComponent("Sources/TernNN/Models/ModelFile.md").path
    return String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }()

  private static func extents(_ text: Substring) -> [Int] {
    text.split { !$0.isNumber }.compactMap { Int($0) }
  }

  static let rows: [Row] = page.split(separator: "\n").compactMap { line in
    let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
      .map { $0.trimmingCharacters(in: .whitespaces) }
    guard cells.count == 5, cells[0].hasPrefix("`") else { return nil }
    let arguments = cells[1].split(separator: ", ").map { argument in
      let parts = argument.split(separator: " = ", maxSplits: 1)
      return (
        name: parts[0].trimmingCharacters(in: ["`"]),
        standard: parts.dropFirst().first.map(String.init)
      )
    }
    let isInteger = cells[4].contains(" of int32")
    let shapes = cells[4].replacing(" of int32", with: "").split(separator: "→")
    return Row(
      kind: cells[0].trimmingCharacters(in: ["`"]), arguments: arguments,
      example: cells[3].trimmingCharacters(in: ["`"]), input: extents(shapes[0]),
      inputType: isInteger ? .int32 : .float32, output: extents(shapes[1]))
  }

  @Test func everyLayerIsOnThePageOnce() {
    #expect(Self.rows.map(\.kind).sorted() == LayerFactory.kinds)
  }

  /// The layer of a row on two samples, with arguments besides the example's.
  private func build(
    _ row: Row, _ extra: [String: AttributeValue] = [:]
  ) throws -> (graph: Graph, output: Shape, context: LayerContext) {
    var arguments = try YAML.parseMap(row.example, file: row.kind).filter { $0.key != "from" }
    arguments.merge(extra) { _, new in new }
    let sources =
      switch try YAML.parseMap(row.example, file: row.kind)["from"] {
      case .list(let list): list.count
      default: 1
      }
    let builder = GraphBuilder()
    let step = try builder.input("step", TensorType([], .int32))
    let x = try builder.input("images", TensorType(Shape([2] + row.input), row.inputType))
    let context = LayerContext(builder: builder, mode: .training, step: step)
    let output = try context.apply(
      LayerFactory.make(row.kind, arguments), named: "layer",
      to: [Tensor](repeating: x, count: sources))
    return (builder.graph, output.shape, context)
  }

  @Test(arguments: rows) func theExampleHasItsShape(_ row: Row) throws {
    #expect(try build(row).output == Shape([2] + row.output))
    // The same from a file: two layers, and the row's. What layers make is never integers.
    guard row.inputType == .float32 else { return }
    let output = row.output.map(String.init).joined(separator: ", ")
    let model = try ModelFixture.read(
      """
      input: \(row.input)
      classes: 1
      layers:
        - sequential:
            name: example
            layers:
              - relu: {name: a}
              - relu: {name: b, from: input}
              - \(row.kind): \(row.example)
        - flatten
        - linear: {out_features: 1}
      """)
    let summaries = try model.inferenceGraph(batchSize: 2).context.summaries
    // Dropout is nothing in a network that is not trained.
    #expect(
      summaries.contains { $0.output == Shape([2] + row.output) }, "no layer gives [\(output)]")
  }

  @Test(arguments: rows) func theArgumentsAreTheReaders(_ row: Row) throws {
    let error = #expect(throws: (any Error).self) { try build(row, ["unheard_of": .int(1)]) }
    let reason = try #require((error as? LayerError)?.reason ?? error as? ShapeError)
    let known = reason.expected.replacing("one of the attributes ", with: "")
      .split(separator: ", ").map(String.init)
    #expect(row.arguments.map(\.name).sorted() == (known == ["no attributes"] ? [] : known))
  }

  @Test(arguments: rows) func theDefaultsAreTheReaders(_ row: Row) throws {
    func operations(_ built: (graph: Graph, output: Shape, context: LayerContext)) -> [String] {
      built.graph.nodes.map { "\($0.operation)" }
        + built.context.parameters.map { "\($0.name) \($0.shape) \($0.initializer)" }
    }
    let plain = operations(try build(row))
    let example = try YAML.parseMap(row.example, file: row.kind)
    for (name, standard) in row.arguments {
      guard let standard else {
        // What has no default is in the example, and missed without.
        let without = try YAML.parseMap(row.example, file: row.kind)
        #expect(without[name] != nil, "\(name)")
        #expect(throws: (any Error).self) { try build(row, [name: .null]) }
        continue
      }
      // A phrase, such as "all axes", says what no value stands for.
      guard !standard.contains(" "), standard != "none" || name == "approximate", standard != "1/√E"
      else { continue }
      let value = try example[standard] ?? YAML.parseValue(standard)
      guard example[name] == nil else { continue }
      #expect(operations(try build(row, [name: value])) == plain, "\(name) = \(standard)")
    }
  }

  /// Numbers that nothing means are an error, not a crash.
  @Test(arguments: rows) func senselessNumbersAreRefusedOrFit(_ row: Row) throws {
    let numbers: [AttributeValue] = [
      .int(-1), .int(0), .int(1), .int(7), .int(1 << 31), .int(-(1 << 31)), .int(.max), .int(.min),
      .double(0.5), .double(-1e300), .double(.infinity), .double(.nan), .string("x"), .bool(true),
      .list([]), .list([.int(0)]), .list([.int(-1), .int(-1)]), .list([.int(1), .int(1)]),
      .list([.int(1 << 31), .int(1 << 31)]), .list([.int(-(1 << 31)), .int(1 << 31)]),
      .list([AttributeValue](repeating: .int(1 << 31), count: 4)),
      .list([AttributeValue](repeating: .int(-(1 << 31)), count: 6)),
      .list([AttributeValue](repeating: .int(1), count: 9)), .map(["a": .int(1)]),
    ]
    for (name, _) in row.arguments {
      for number in numbers {
        do {
          let output = try build(row, [name: number]).output
          #expect(output.isUsable, "\(name): \(number)")
        } catch is LayerError {} catch is ShapeError {}
      }
    }
  }

  /// The examples of whole files build.
  @Test func theFilesOnThePageBuild() throws {
    let files = Self.page.components(separatedBy: "```yaml\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    #expect(files.count >= 3)
    for file in files { _ = try ModelFixture.read(file) }
  }

  @Test func everyBlockInitialiserAndTaskIsOnThePage() {
    let names =
      LayerListReader.Block.allCases.map(\.rawValue)
      + LayerListReader.Block.allCases.flatMap(\.arguments)
      + WeightInitializer.allCases.map(\.rawValue)
      + ["classification", "segmentation", "reconstruction"]
    for name in names { #expect(Self.page.contains("`\(name)`"), "\(name)") }
  }
}
