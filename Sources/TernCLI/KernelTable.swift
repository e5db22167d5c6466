import Tern
import TernConformance

/// Results of kernels as people read them.
struct KernelTable {
  private let report: KernelReport

  init(_ report: KernelReport) { self.report = report }

  var text: String {
    var header = [
      "OPERATION", "NAME", "SHAPE", "PASS", "RUNS AS", "µs", "P95", "GFLOP/s", "GB/s", "% ROOF",
      "BOUND", "ERROR",
    ]
    if let versus = report.versus { header.append("× \(versus)".uppercased()) }
    var table = Table(header, numeric: [5, 6, 7, 8, 9, 11, 12])
    for (result, ratio) in zip(report.results, report.ratios) {
      func number(_ value: Double?, _ digits: Int = 1) -> String {
        value.map { Format.fixed($0, digits) } ?? "-"
      }
      let error = result.maximumRelativeError.map { Format.scientific($0) } ?? "-"
      var row = [
        result.operation, result.name == result.shape ? "" : result.name, result.shape,
        result.pass.rawValue, result.implementation,
        number(result.timing.map { $0.median * 1e6 }),
        number(result.timing.map { $0.percentile95 * 1e6 }), number(result.gflops),
        number(result.gbs), number(result.percentOfRoof), result.bound?.rawValue ?? "-",
        result.status == .passed ? error : result.status.rawValue.uppercased(),
      ]
      if report.versus != nil { row.append(number(ratio, 2)) }
      table.append(row)
    }
    return table.text + "\n\n" + summary
  }

  private var summary: String {
    var lines: [String] = []
    for kind in BenchmarkCase.Kind.allCases {
      if let mean = report.meanPercentOfRoof(kind) {
        lines.append(
          "\(kind.rawValue): \(Format.fixed(mean.value, 1)) % of the roofline over \(mean.count) "
            + "passes, geometric mean")
      }
    }
    if let versus = report.versus, let mean = report.meanRatio {
      lines.append(
        "\(Format.fixed(mean.value, 2)) times as fast as \(versus) over \(mean.count) passes, "
          + "geometric mean")
    }
    for result in report.results where result.status != .passed {
      lines.append(
        "\(result.status.rawValue): \(result.operation) \(result.name) \(result.pass.rawValue): "
          + (result.message ?? ""))
    }
    return lines.joined(separator: "\n")
  }
}

extension KernelResult {
  /// A line while others are still being measured.
  var progress: String {
    "\(operation) \(name) \(pass.rawValue): "
      + (timing.map { "\(Format.fixed($0.median * 1e6, 1)) µs" } ?? status.rawValue)
  }
}
