import Tern

/// What `tern bench --json` printed before, of kernels or of whole models.
package struct BenchmarkBase {
  /// How errors name it.
  package let source: String
  let context: JSON
  /// The medians, in seconds, by what tells a result from the others; `nil` where nothing was timed.
  let medians: [String: Double?]

  private static let maximumByteCount = 64 << 20

  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  package init(contentsOf path: String) throws {
    try self.init(JSON(contentsOf: path, maximumByteCount: Self.maximumByteCount), source: path)
  }

  /// - Throws: ``TernError`` of kind `badData`.
  package init(_ json: JSON, source: String) throws {
    self.source = source
    guard let context = json["context"] else { throw Self.fault(source, "no context") }
    for key in ["device", "name"] where context[key]?.stringValue == nil {
      throw Self.fault(source, "no context.\(key)")
    }
    self.context = context
    medians = Dictionary(try Self.medians(json, source)) { first, _ in first }
  }

  /// Whether it can be compared with what is about to be measured.
  ///
  /// - Parameters:
  ///   - context: as ``BenchmarkContext/json`` has it.
  ///   - names: what is to be measured; see ``BenchmarkCase/resultName(_:)``.
  /// - Returns: what may explain a difference.
  /// - Throws: ``TernError`` of kind `badData` where it is of another context, or has nothing of it.
  @discardableResult
  package func check(_ context: JSON, measuring names: [String]? = nil) throws -> [String] {
    // Both as they are read: a whole number written as 1.0 comes back as 1.
    let context = (try? JSON(parsing: context.description)) ?? context
    var remarks: [String] = []
    for (key, advice) in BenchmarkContext.decisive {
      let now = context[key] ?? .null
      guard let then = self.context[key] else {
        if now != .null { remarks.append("the base does not say its \(key), now \(now)") }
        continue
      }
      guard then == now else {
        throw TernError(
          .badData,
          "\(source): recorded on another \(key == "name" ? "device" : key): "
            + "\(key) \(Self.quoted(then)), now \(Self.quoted(now)); \(advice)")
      }
    }
    for key in BenchmarkContext.remarkable {
      if let then = self.context[key], let now = context[key], then != now {
        remarks.append("\(key) was \(Self.quoted(then)), is \(Self.quoted(now))")
      }
    }
    if let names, !names.contains(where: { medians[$0] != nil }) {
      throw TernError(
        .badData, "\(source): has none of what is to be measured, such as \(names.first ?? "")")
    }
    return remarks
  }

  private static func quoted(_ value: JSON) -> String {
    switch value {
    case .string(let text): "'\(text)'"
    case .null: "not given"
    default: "\(value)"
    }
  }

  private static func fault(_ source: String, _ what: String) -> TernError {
    TernError(.badData, "\(source): not a result of 'tern bench --json' (\(what))")
  }

  /// The median of every result, in seconds, by what tells it from the others.
  static func medians(
    _ json: JSON, _ source: String
  ) throws -> [(name: String, seconds: Double?)] {
    guard case .array(let results)? = json["results"] else { throw fault(source, "no results") }
    return try results.enumerated().map { index, result in
      guard let name = result["name"]?.stringValue else {
        throw TernError(.badData, "\(source): result \(index + 1) has no name")
      }
      if let batch = result["batch_size"]?.intValue {
        return (
          modelName(name, batchSize: batch),
          result["step_ms"]?["median"]?.doubleValue.map { $0 * 1e-3 }
        )
      }
      func text(_ key: String) -> String { result[key]?.stringValue ?? "" }
      return (
        kernelName(
          text("op"), name, shape: text("shape"), pass: text("pass"),
          dataType: DataType(rawValue: text("dtype")) ?? .float32),
        result["time_ns"]?["median"]?.doubleValue.map { $0 * 1e-9 }
      )
    }
  }

  /// What tells the result of a network from others.
  package static func modelName(_ name: String, batchSize: Int) -> String {
    "\(name) at batch size \(batchSize)"
  }

  fileprivate static func kernelName(
    _ operation: String, _ name: String, shape: String, pass: String, dataType: DataType
  ) -> String {
    "\(operation)\(name == shape ? "" : " \(name)") \(shape) \(pass)"
      + (dataType == .float32 ? "" : " \(dataType.rawValue)")
  }
}

extension BenchmarkCase {
  /// What tells the result of a pass from others.
  package func resultName(_ pass: BenchmarkPass, _ dataType: DataType = .float32) -> String {
    BenchmarkBase.kernelName(
      operation, name, shape: shape, pass: pass.rawValue, dataType: dataType)
  }
}
