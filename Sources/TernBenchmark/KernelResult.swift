import Tern
import TernConformance

/// What was measured of one pass of a case.
package struct KernelResult: Sendable {
  /// What keeps a pass from running faster.
  package enum Bound: String, Sendable {
    case compute, memory
    /// Starting the work takes longer than doing it.
    case launch
  }

  package let name: String
  package let operation: String
  package let shape: String
  package let kind: BenchmarkCase.Kind
  package let pass: BenchmarkPass
  /// What its tensors are stored in, apart from those that have to be float32.
  package var dataType = DataType.float32
  /// How often a network has the case.
  package let count: Int
  /// What ran.
  package var implementation = ""
  package var status: CaseResult.Status = .passed
  /// The largest error, as ``KernelVerification`` defines it.
  package var maximumRelativeError: Double?
  /// Why the status is not `passed`.
  package var message: String?
  /// `nil` where nothing was timed.
  package var timing: StepTimer.Timing?
  package var cost = Cost(flops: 0, bytes: 0)
  /// What a run reads and writes in all, in bytes.
  package var workingSetByteCount = 0
  /// The shortest time that the device's peak allows, as part of the median, in percent; more than
  /// 100 where an algorithm saves multiplications. Of what runs from cache, the time that the
  /// arithmetic takes; `nil` where there is none.
  package private(set) var percentOfRoof: Double?
  package private(set) var bound: Bound?
  /// Whether all data stay in the last level of cache from one run to the next: memory is no limit
  /// then.
  package private(set) var isFromCache = false
  /// Whether it runs from cache, and memory would be the limit if it did not: no roof is known.
  package var hasNoRoof: Bool { isFromCache && isMemoryBound }
  private var isMemoryBound = false

  init(_ testCase: BenchmarkCase, _ pass: BenchmarkPass) {
    name = testCase.name
    operation = testCase.operation
    shape = testCase.shape
    kind = testCase.kind
    count = testCase.count
    self.pass = pass
  }

  /// In 10⁹ floating-point operations per second.
  package var gflops: Double? { timing.map { Double(cost.flops) / $0.median / 1e9 } }
  /// In 10⁹ bytes per second.
  package var gbs: Double? { timing.map { Double(cost.bytes) / $0.median / 1e9 } }

  /// Holds the time against what the device reaches.
  mutating func judge(peak: DevicePeak, launchSeconds: Double, cacheByteCount: Int) {
    guard let timing else { return }
    let (compute, memory) = (peak.computeSeconds(cost), peak.memorySeconds(cost))
    isMemoryBound = memory > compute
    isFromCache = workingSetByteCount <= cacheByteCount
    let roof = isFromCache ? compute : max(compute, memory)
    percentOfRoof = roof > 0 ? 100 * roof / timing.median : nil
    bound =
      max(compute, memory) < launchSeconds ? .launch : isMemoryBound ? .memory : .compute
  }

  package var json: JSON {
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
      "pass": .string(pass.rawValue), "dtype": .string(dataType.rawValue), "count": .int(count),
      "implementation": .string(implementation), "status": .string(status.rawValue),
      "max_rel_error": number(maximumRelativeError), "message": text(message),
      "time_ns": times, "iterations": .int(timing?.iterations ?? 0), "flops": .int(cost.flops),
      "bytes": .int(cost.bytes), "gflops": number(gflops), "gbs": number(gbs),
      "percent_of_roof": number(percentOfRoof), "bound": text(bound?.rawValue),
      "working_set_bytes": .int(workingSetByteCount), "from_cache": .bool(isFromCache),
    ])
  }

  /// The members of ``json`` one by one, those of an object under it as `time_ns.median`.
  package static let fields = [
    "name", "op", "shape", "pass", "dtype", "count", "implementation", "status", "max_rel_error",
    "message", "time_ns.min", "time_ns.median", "time_ns.p95", "iterations", "flops", "bytes",
    "gflops", "gbs", "percent_of_roof", "bound", "working_set_bytes", "from_cache",
  ]
}
