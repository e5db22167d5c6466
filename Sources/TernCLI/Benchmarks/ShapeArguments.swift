import Tern
import TernBenchmark
import TernConformance

/// A case on the command line, in place of a suite.
enum ShapeArguments {
  /// `512 512 512` and `512x512x512` are m, n and k; `512` is a square, `96 128 128 64` a batch of 96.
  static func product(_ words: [String]) throws -> BenchmarkCase {
    let numbers = try numbers(words, "M N K, N, or BATCH M N K")
    switch numbers.count {
    case 1:
      return try benchmarkCase(
        "matmul", zip(["m", "n", "k"], Array(repeating: numbers[0], count: 3)))
    case 3: return try benchmarkCase("matmul", zip(["m", "n", "k"], numbers))
    case 4: return try benchmarkCase("matmul", zip(["batch", "m", "n", "k"], numbers))
    default:
      throw TernError(
        .usage, "shape: expected M N K, N, or BATCH M N K, got \(numbers.count) numbers")
    }
  }

  /// `32,64,56,56 128 3x3` and `32 64 56 56 128 3` are batch, channels, height and width of the input,
  /// output channels, and the kernel.
  static func convolution(
    _ words: [String], _ settings: [String: AttributeValue]
  ) throws -> BenchmarkCase {
    let expected = "N,C,H,W OUT_CHANNELS KERNEL"
    let numbers = try numbers(words, expected)
    guard numbers.count == 6 || numbers.count == 7 else {
      throw TernError(.usage, "shape: expected \(expected), got \(numbers.count) numbers")
    }
    let names = ["batch", "in_channels", "height", "width", "out_channels"]
    return try benchmarkCase(
      "conv2d", zip(names, numbers),
      settings.merging(["kernel_size": list(Array(numbers[5...]))]) { $1 })
  }

  /// `softmax input=256,1000 dim=1`: the keys of a case in a suite. A value without a key is the shape
  /// of the next input.
  static func operation(_ words: [String]) throws -> BenchmarkCase {
    let name = words[0]
    let isOptimizer = name.hasPrefix("optimizer.")
    // What is unknown is said before its inputs are.
    guard isOptimizer || OperationSpec.named(name) != nil else {
      return try make(["op": .string(name)])
    }
    let inputs =
      isOptimizer
      ? ["parameter"]
      : OperationSpec.named(name)!.inputs.map { $0.hasSuffix("?") ? String($0.dropLast()) : $0 }
    var values: [String: AttributeValue] = ["op": .string(name)]
    var unnamed = inputs[...]
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let key: String
      if parts.count == 2 {
        key = String(parts[0])
      } else if let next = unnamed.popFirst() {
        key = next
      } else {
        throw TernError(.usage, "shape: '\(word)': expected KEY=VALUE")
      }
      guard values.updateValue(try value(parts.last!), forKey: key) == nil else {
        throw TernError(.usage, "shape: \(key) is given twice")
      }
    }
    return try make(values)
  }

  /// `2`, `2x1` or `2,1`.
  static func list(_ text: String, name: String) throws -> AttributeValue {
    do { return list(try numbers([text], "")) } catch {
      throw TernError(.usage, "\(name): expected a number or HxW, got '\(text)'")
    }
  }

  private static func list(_ numbers: [Int]) -> AttributeValue {
    numbers.count == 1 ? .int(numbers[0]) : .list(numbers.map(AttributeValue.int))
  }

  private static func numbers(_ words: [String], _ expected: String) throws -> [Int] {
    try words.flatMap { word in
      try word.split(omittingEmptySubsequences: false) { $0 == "," || $0 == "x" }.map { part in
        guard let number = Int(part) else {
          throw TernError(.usage, "shape: expected \(expected), got '\(word)'")
        }
        return number
      }
    }
  }

  /// `32,64` is a list, `32,128:1000` integers below 1000 in that shape, `[2, 2]` JSON.
  private static func value(_ text: Substring) throws -> AttributeValue {
    if let first = text.first, first == "[" || first == "{" {
      guard let json = try? JSON(parsing: String(text)) else {
        throw TernError(.usage, "shape: '\(text)' is not JSON")
      }
      return json.attribute
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    func numbers(_ text: Substring) -> [Int]? {
      let all = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      return all.contains(nil) ? nil : all.compactMap(\.self)
    }
    if parts.count == 2, let shape = numbers(parts[0]), let limit = Int(parts[1]) {
      return .map(["shape": .list(shape.map(AttributeValue.int)), "below": .int(limit)])
    }
    if let numbers = numbers(text) { return list(numbers) }
    switch text {
    case "true": return .bool(true)
    case "false": return .bool(false)
    default: return Double(text).map { .double($0) } ?? .string(String(text))
    }
  }

  private static func benchmarkCase(
    _ operation: String, _ numbers: some Sequence<(String, Int)>,
    _ settings: [String: AttributeValue] = [:]
  ) throws -> BenchmarkCase {
    let values = Dictionary(numbers.map { ($0, AttributeValue.int($1)) }) { $1 }
    return try make(settings.merging(values) { $1 }.merging(["op": .string(operation)]) { $1 })
  }

  private static func make(_ values: [String: AttributeValue]) throws -> BenchmarkCase {
    do { return try BenchmarkCase(values) } catch {
      throw TernError(.usage, "shape: \(error)")
    }
  }
}
