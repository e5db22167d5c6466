import Foundation
import Tern
import TernBenchmark
import TernConformance
import Testing

struct BenchmarkComparisonTests {
  private static func report(
    _ medians: [(String, Double?)], device: String = "cpu", driver: String = "1"
  ) -> JSON {
    .object([
      "context": .object([
        "device": .string(device), "name": .string("a processor"), "driver": .string(driver),
      ]),
      "results": .array(
        medians.map { name, median in
          .object([
            "name": .string(name), "op": .string("relu"), "shape": .string("[3]"),
            "pass": .string("forward"),
            "time_ns": median.map { .object(["median": .double($0)]) } ?? .null,
          ])
        }),
    ])
  }

  @Test func aMedianAboveTheThresholdIsARegression() throws {
    let comparison = try BenchmarkComparison(
      Self.report([("a", 110), ("b", 111), ("c", 50)]),
      base: Self.report([("a", 100), ("b", 100), ("c", 100)]), source: "base", threshold: 0.1)
    #expect(comparison.entries.count == 3)
    #expect(comparison.regressions.map(\.name) == ["relu b [3] forward"])
    #expect(comparison.missing.isEmpty)
  }

  @Test func whatTheBaseLacksIsReportedAndNoRegression() throws {
    let comparison = try BenchmarkComparison(
      Self.report([("a", 900), ("b", 900), ("c", nil)]),
      base: Self.report([("b", nil)]), source: "base", threshold: 0.1)
    #expect(comparison.missing == ["relu a [3] forward", "relu b [3] forward"])
    #expect(comparison.regressions.isEmpty)
    #expect(comparison.remarks.isEmpty)
  }

  @Test func aBaseOfAnotherDeviceIsRefused() {
    #expect(
      throws: TernError(
        .badData,
        "base: recorded on another device: device 'opencl:0.0', now 'cpu'; "
          + "give the device it was recorded on")
    ) {
      try BenchmarkComparison(
        Self.report([]), base: Self.report([], device: "opencl:0.0"), source: "base",
        threshold: 0.1)
    }
  }

  @Test func aBaseOfAnotherDriverIsRefused() {
    #expect(
      throws: TernError(
        .badData,
        "base: recorded on another driver: driver '2', now '1'; record a base with this driver")
    ) {
      try BenchmarkComparison(
        Self.report([]), base: Self.report([], driver: "2"), source: "base", threshold: 0.1)
    }
  }

  /// A base that was written before contexts said so much is taken, with a remark.
  @Test func whatABaseDoesNotSayIsRemarked() throws {
    let base = try BenchmarkBase(Self.report([]), source: "base")
    #expect(
      try base.check(
        .object([
          "device": .string("cpu"), "name": .string("a processor"), "driver": .string("1"),
          "threads": .int(2),
        ])) == ["the base does not say its threads, now 2"])
  }

  @Test(arguments: ["[]", "{}", #"{"context": {"device": "cpu", "name": "a processor"}}"#])
  func whatIsNoResultIsRefused(text: String) {
    #expect {
      try BenchmarkComparison(
        Self.report([]), base: JSON(parsing: text), source: "base", threshold: 0.1)
    } throws: { error in
      (error as? TernError)?.message.hasPrefix("base: not a result of 'tern bench --json'") == true
    }
  }

  @Test func modelsAreToldApartByBatchSize() throws {
    func model(_ batch: Int, _ milliseconds: Double) -> JSON {
      .object([
        "context": .object(["device": .string("cpu"), "name": .string("a processor")]),
        "results": .array([
          .object([
            "name": .string("lenet5"), "batch_size": .int(batch),
            "step_ms": .object(["median": .double(milliseconds)]),
          ])
        ]),
      ])
    }
    #expect(
      try BenchmarkComparison(model(64, 3), base: model(64, 1), source: "b", threshold: 0.1)
        .regressions.map(\.ratio) == [3])
    #expect(
      try BenchmarkComparison(model(64, 3), base: model(32, 1), source: "b", threshold: 0.1)
        .missing == ["lenet5 at batch size 64"])
  }
}
