import ArgumentParser
import Tern

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how fast single operations run, and how fast networks train.",
    discussion: """
      Results appear as they are measured; Ctrl-C, SIGTERM and 'timeout' end the measurement with \
      what there is until then, as a whole JSON object too. What a suite's file may say: \
      Sources/TernBenchmark/Suites.md.

      Examples:
        tern bench gemm 512 512 512 --device cpu
        tern bench conv --suite resnet50 --device opencl --format csv > resnet50.csv
        tern bench model lenet5 --batch-size 64
      """,
    subcommands: [
      BenchAll.self, BenchOps.self, BenchGemm.self, BenchConv.self, BenchModel.self, BenchComm.self,
    ],
    defaultSubcommand: BenchAll.self)

  /// - Throws: ``TernError`` of kind `usage` where `--seconds` makes no sense.
  static func check(seconds: Double) throws {
    guard seconds > 0, seconds <= 3600 else {
      throw TernError(.usage, "seconds: expected 0 to 3600, got \(seconds)")
    }
  }
}
