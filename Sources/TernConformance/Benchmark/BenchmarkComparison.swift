import Tern

/// Holds results against recorded ones of the same device, of kernels or of whole models.
public struct BenchmarkComparison {
  /// A case that both have.
  public struct Entry: Sendable {
    public let name: String
    /// The medians, in seconds.
    public let base: Double
    public let current: Double
    /// Above 1 where it is slower now.
    public var ratio: Double { current / base }
  }

  /// The largest share by which a median may be above the recorded one.
  public let threshold: Double
  public private(set) var entries: [Entry] = []
  /// The cases that the base does not have, or could not time.
  public private(set) var missing: [String] = []
  /// What may explain a difference.
  public private(set) var remarks: [String] = []

  public var regressions: [Entry] { entries.filter { $0.ratio > 1 + threshold } }

  private static let maximumByteCount = 64 << 20

  /// - Parameters:
  ///   - current: what `--json` prints.
  ///   - path: a file with what it printed before.
  /// - Throws: ``TernError`` of kind `notFound` or `badData`; the latter also where the base is of
  ///   another device.
  public init(_ current: JSON, base path: String, threshold: Double) throws {
    try self.init(
      current, base: JSON(contentsOf: path, maximumByteCount: Self.maximumByteCount),
      source: path, threshold: threshold)
  }

  /// - Parameter source: how errors name the base.
  public init(_ current: JSON, base: JSON, source: String, threshold: Double) throws {
    self.threshold = threshold
    for key in ["device", "name"] {
      let now = current["context"]?[key]?.stringValue ?? ""
      guard let then = base["context"]?[key]?.stringValue else {
        throw TernError(
          .badData, "\(source): not a result of 'tern bench --json' (no context.\(key))")
      }
      guard then == now else {
        throw TernError(
          .badData,
          "\(source): recorded on another device: \(key) '\(then)', now '\(now)'; "
            + "give the --device it was recorded on")
      }
    }
    for key in ["driver", "version"] {
      let (then, now) = (base["context"]?[key]?.stringValue, current["context"]?[key]?.stringValue)
      if let then, let now, then != now { remarks.append("\(key) was '\(then)', is '\(now)'") }
    }
    let recorded = Dictionary(try Self.medians(base, source)) { first, _ in first }
    for (name, seconds) in try Self.medians(current, "this run") {
      guard let seconds else { continue }
      if case let base?? = recorded[name], base > 0 {
        entries.append(Entry(name: name, base: base, current: seconds))
      } else {
        missing.append(name)
      }
    }
  }

  /// The median of every result, in seconds, by what tells it from the others; `nil` where nothing
  /// was timed.
  private static func medians(
    _ json: JSON, _ source: String
  ) throws -> [(name: String, seconds: Double?)] {
    guard case .array(let results)? = json["results"] else {
      throw TernError(.badData, "\(source): not a result of 'tern bench --json' (no results)")
    }
    return try results.enumerated().map { index, result in
      guard let name = result["name"]?.stringValue else {
        throw TernError(.badData, "\(source): result \(index + 1) has no name")
      }
      if let batch = result["batch_size"]?.intValue {
        return (
          "\(name) at batch size \(batch)",
          result["step_ms"]?["median"]?.doubleValue.map { $0 * 1e-3 }
        )
      }
      let details = ["op", "shape", "pass"].map { result[$0]?.stringValue ?? "" }
      let label = name == details[1] ? "" : " \(name)"
      return (
        "\(details[0])\(label) \(details[1]) \(details[2])",
        result["time_ns"]?["median"]?.doubleValue.map { $0 * 1e-9 }
      )
    }
  }
}
