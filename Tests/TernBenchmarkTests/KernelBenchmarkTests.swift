import Foundation
import Tern
import TernTestSupport
import Testing

@testable import TernBenchmark
@testable import TernConformance

/// That what is timed is what it says, on every device; never how fast it is.
@Suite(.serialized) struct KernelBenchmarkTests {
  private static let suite = """
    {"name": "small", "cases": [
      {"op": "conv2d", "name": "c", "batch": 2, "in_channels": 6, "height": 9, "width": 8,
       "out_channels": 4, "kernel_size": [3, 3], "padding": [1, 1], "groups": 2, "bias": true},
      {"op": "linear", "batch": 4, "in_features": 17, "out_features": 5, "bias": true},
      {"op": "matmul", "batch": 3, "m": 5, "n": 7, "k": 9},
      {"op": "max_pool2d", "input": [2, 3, 8, 8], "kernel_size": [2, 2]},
      {"op": "batch_norm", "input": [4, 3, 5, 5], "running_mean": [3], "running_var": [3],
       "weight": [3], "bias": [3], "training": true},
      {"op": "embedding", "input": {"shape": [6], "below": 9}, "weight": [9, 4]},
      {"op": "cross_entropy", "input": [5, 7], "target": {"shape": [5], "below": 7}},
      {"op": "optimizer.adam", "parameter": [33], "lr": 0.01}
    ]}
    """

  @Test(arguments: TestDevices.ids) func everyPassIsCheckedAndTimed(device: String) throws {
    var benchmark = try KernelBenchmark(
      device: TestDevices.open(device), peak: DevicePeak(gflops: 50, gbs: 10))
    benchmark.iterations = 5
    let cases = try BenchmarkSuite(JSON(parsing: Self.suite), source: "small").cases
    var passCount = 0
    for testCase in cases {
      for pass in testCase.passes {
        passCount += 1
        let result = benchmark.run(testCase, pass)
        #expect(
          result.status == .passed,
          "\(testCase.key) \(pass.rawValue): \(result.message ?? "")")
        #expect(result.maximumRelativeError.map { $0 <= 1e-4 } == true)
        #expect(result.timing.map { $0.iterations >= 5 } == true)
        #expect(result.percentOfRoof.map { $0 > 0 } ?? result.hasNoRoof)
        #expect(result.bound != nil)
      }
    }
    #expect(passCount == 9 + 2 + 2 + 2 + 2 + 1)
  }

  /// What is timed in 16 bits reads and writes 16 bits, without casts; what has no such form says so.
  @Test func aTypeIsWhatTensorsAreStoredIn() throws {
    let device = try DeviceCatalog.standard.open(
      "reference", options: DeviceOptions(precision: .bf16))
    var benchmark = try KernelBenchmark(
      device: device, peak: DevicePeak(gflops: 50, gbs: 10))
    benchmark.iterations = 1
    let cases = try BenchmarkSuite(JSON(parsing: Self.suite), source: "small").cases
    var types: [String: DataType] = [:]
    for testCase in cases {
      for pass in testCase.passes {
        let kernel = try KernelGraph(testCase, pass, on: device)
        // Only what a sum in float32 reads too is cast.
        let casts = kernel.graph.nodes.filter { $0.operation is Operations.Cast }
        let sums = kernel.graph.nodes.filter { $0.operation is Operations.Reduce }
        #expect(casts.allSatisfy { cast in sums.contains { $0.inputs == cast.inputs } })
        #expect(try kernel.cost.bytes <= KernelGraph(testCase, pass).cost.bytes)
        let result = benchmark.run(testCase, pass)
        #expect(
          result.status == .passed, "\(testCase.key) \(pass.rawValue): \(result.message ?? "")")
        #expect(result.dataType == kernel.storedType)
        types[testCase.operation] = result.dataType
      }
    }
    #expect(types["conv2d"] == .bfloat16 && types["optimizer.adam"] == .float32)
  }

  /// The last samples, channels and columns of a large case are those that the reference computes.
  @Test(arguments: TestDevices.fast) func aLargeCaseIsCheckedByParts(device: String) throws {
    var benchmark = try KernelBenchmark(
      device: TestDevices.open(device), peak: DevicePeak(gflops: 50, gbs: 10))
    benchmark.iterations = 1
    let suite = try BenchmarkSuite(
      JSON(
        parsing: """
          {"name": "large", "cases": [
            {"op": "conv2d", "batch": 4, "in_channels": 32, "height": 28, "width": 28,
             "out_channels": 48, "kernel_size": [3, 3], "padding": [1, 1]},
            {"op": "conv2d", "batch": 3, "in_channels": 64, "height": 20, "width": 20,
             "out_channels": 32, "kernel_size": [5, 5], "groups": 2},
            {"op": "matmul", "m": 301, "n": 299, "k": 303},
            {"op": "linear", "batch": 200, "in_features": 333, "out_features": 257, "bias": true}
          ]}
          """), source: "large")
    for testCase in suite.cases {
      for pass in testCase.passes {
        let result = benchmark.run(testCase, pass)
        #expect(
          result.status == .passed,
          "\(testCase.key) \(pass.rawValue): \(result.message ?? "")")
      }
    }
  }

  @Test func aBackwardPassHasNoForwardNodes() throws {
    let testCase = try #require(
      try BenchmarkSuite("lenet5").cases.first { $0.operation == "max_pool2d" })
    let kernel = try KernelGraph(testCase, .backwardData)
    #expect(kernel.graph.nodes.map(\.operation.name) == ["max_pool2d_backward"])
    #expect(kernel.preparation?.nodes.map(\.operation.name) == ["max_pool2d"])
  }

  /// What stays in cache has no roof of memory; what does not, has.
  @Test func memoryIsNoLimitOfWhatRunsFromCache() throws {
    guard
      case .map(let values) = try JSON(parsing: #"{"op": "relu", "input": [1000]}"#).attribute
    else { return }
    let timing = try StepTimer(seconds: 0, iterations: 3).measure({}, synchronize: {})
    func result(cacheByteCount: Int) throws -> KernelResult {
      var result = KernelResult(try BenchmarkCase(values), .forward)
      result.cost = Cost(flops: 1000, bytes: 8000)
      result.workingSetByteCount = 8000
      result.timing = timing
      result.judge(
        peak: DevicePeak(gflops: 1, gbs: 1), launchSeconds: 0, cacheByteCount: cacheByteCount)
      return result
    }
    let (cached, streamed) = (
      try result(cacheByteCount: 8000), try result(cacheByteCount: 7999)
    )
    #expect(cached.isFromCache && cached.hasNoRoof)
    #expect(!streamed.isFromCache && !streamed.hasNoRoof)
    // Eight times as long in memory as in arithmetic.
    let ratio = try #require(streamed.percentOfRoof) / #require(cached.percentOfRoof)
    #expect(abs(ratio - 8) < 1e-6)
  }

  @Test func bytesAreCountedOnce() throws {
    guard
      case .map(let values) = try JSON(
        parsing: #"{"op": "matmul", "m": 4, "n": 5, "k": 6}"#
      ).attribute
    else { return }
    let cost = try KernelGraph(BenchmarkCase(values), .forward).cost
    #expect(cost.flops == 2 * 4 * 5 * 6)
    #expect(cost.bytes == 4 * (4 * 6 + 6 * 5 + 4 * 5))
  }
}
