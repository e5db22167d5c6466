import TernCore
import TernGraph

/// The best a device reaches, measured: the roofline of Williams, Waterman and Patterson,
/// "Roofline: an insightful visual performance model", CACM 2009.
public struct DevicePeak: Hashable, Sendable {
  /// Multiply-adds of what the device multiplies, float32 where nothing else is asked for, in 10⁹ floating-point
  /// operations per second.
  public let gflops: Double
  /// Main memory, in 10⁹ bytes per second, by STREAM's triad on arrays larger than caches.
  public let gbs: Double

  /// How long arithmetic and memory are measured each, in seconds: the best of many short runs is
  /// nearly that of a machine that is not shared.
  package static let measuringSeconds = 0.25

  /// The elements of each of the triad's three arrays of float32: twice what the last level of cache
  /// holds, or more where memory is so fast that this would be over before it began.
  package static func triadElementCount(
    beyond cacheByteCount: Int, atLeast byteCount: Int = 32 << 20
  ) -> Int {
    max(2 * cacheByteCount, byteCount) / 4096 * 1024
  }

  package init(gflops: Double, gbs: Double) {
    self.gflops = gflops
    self.gbs = gbs
  }

  /// The shortest time in which the arithmetic can be done, in seconds.
  package func computeSeconds(_ cost: Cost) -> Double { Double(cost.flops) / (gflops * 1e9) }

  /// The shortest time in which the bytes can be moved, in seconds.
  package func memorySeconds(_ cost: Cost) -> Double { Double(cost.bytes) / (gbs * 1e9) }

  /// The shortest time in which a node can run where nothing is cached, in seconds.
  package func roofSeconds(_ cost: Cost) -> Double {
    max(computeSeconds(cost), memorySeconds(cost))
  }
}

extension Device {
  /// By a matrix product and a sum of two tensors: for a device without a better measure.
  public func measurePeak() throws -> DevicePeak {
    func seconds(_ cost: inout Cost, _ build: (GraphBuilder) throws -> Tensor) throws -> Double {
      let builder = GraphBuilder()
      builder.output("y", try build(builder))
      let graph = builder.graph
      cost = graph.cost(of: graph.nodes[0])
      let executable = try Session(device: self).compile(graph)
      return try StepTimer.shortest(of: 3) {
        try executable.step()
        try executable.synchronize()
      }
    }
    var (product, sum) = (Cost(flops: 0, bytes: 0), Cost(flops: 0, bytes: 0))
    let productSeconds = try seconds(&product) {
      try $0.variable("a", [128, 128]).matmul($0.variable("b", [128, 128]))
    }
    let sumSeconds = try seconds(&sum) {
      try $0.variable("a", [1 << 20]) + $0.variable("b", [1 << 20])
    }
    return DevicePeak(
      gflops: Double(product.flops) / productSeconds / 1e9,
      gbs: Double(sum.bytes) / sumSeconds / 1e9)
  }
}
