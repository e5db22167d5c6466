import Tern

/// What was measured of one pass of a case.
public struct KernelResult: Sendable {
  /// What keeps a pass from running faster.
  public enum Bound: String, Sendable {
    case compute, memory
    /// Starting the work takes longer than doing it.
    case launch
  }

  public let name: String
  public let operation: String
  public let shape: String
  public let kind: BenchmarkCase.Kind
  public let pass: BenchmarkPass
  /// How often a network has the case.
  public let count: Int
  /// What ran.
  public var implementation = ""
  public var status: CaseResult.Status = .passed
  /// The largest error, as ``KernelVerification`` defines it.
  public var maximumRelativeError: Double?
  /// Why the status is not `passed`.
  public var message: String?
  /// `nil` where nothing was timed.
  public var timing: StepTimer.Timing?
  public var cost = Cost(flops: 0, bytes: 0)
  /// The shortest time that the device's peak allows, as part of the median, in percent. More than
  /// 100 where data stay in caches, or an algorithm saves multiplications.
  public private(set) var percentOfRoof: Double?
  public private(set) var bound: Bound?

  init(_ testCase: BenchmarkCase, _ pass: BenchmarkPass) {
    name = testCase.name
    operation = testCase.operation
    shape = testCase.shape
    kind = testCase.kind
    count = testCase.count
    self.pass = pass
  }

  /// In 10⁹ floating-point operations per second.
  public var gflops: Double? { timing.map { Double(cost.flops) / $0.median / 1e9 } }
  /// In 10⁹ bytes per second.
  public var gbs: Double? { timing.map { Double(cost.bytes) / $0.median / 1e9 } }

  mutating func judge(peak: DevicePeak, launchSeconds: Double) {
    guard let timing else { return }
    let roof = peak.roofSeconds(cost)
    percentOfRoof = 100 * roof / timing.median
    bound =
      roof < launchSeconds
      ? .launch : peak.computeSeconds(cost) >= peak.memorySeconds(cost) ? .compute : .memory
  }

  public var json: JSON {
    func number(_ value: Double?) -> JSON { value.map { .double($0) } ?? .null }
    func text(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
    let times: JSON =
      timing.map {
        .object([
          "min": .double($0.least * 1e9), "median": .double($0.median * 1e9),
          "p95": .double($0.percentile95 * 1e9),
        ])
      } ?? .null
    return .object([
      "name": .string(name), "op": .string(operation), "shape": .string(shape),
      "pass": .string(pass.rawValue), "dtype": .string("float32"), "count": .int(count),
      "implementation": .string(implementation), "status": .string(status.rawValue),
      "max_rel_error": number(maximumRelativeError), "message": text(message),
      "time_ns": times, "iterations": .int(timing?.iterations ?? 0), "flops": .int(cost.flops),
      "bytes": .int(cost.bytes), "gflops": number(gflops), "gbs": number(gbs),
      "percent_of_roof": number(percentOfRoof), "bound": text(bound?.rawValue),
    ])
  }
}
