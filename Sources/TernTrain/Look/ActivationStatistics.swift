import Foundation
import TernCore
import TernData
import TernRuntime

/// How the outputs of a layer are distributed over samples, and which of its units say nothing.
package struct ActivationStatistics: Sendable {
  package let name: String
  package let kind: String
  package let mean: Double
  package let deviation: Double
  /// The part of the outputs that are 0.
  package let zeroShare: Double
  /// Channels, or features of a vector.
  package let unitCount: Int
  /// Units that give the same for every sample: behind a ReLU those that are never on.
  package let deadUnits: [Int]
  package let range: ClosedRange<Double>
  /// How many outputs are in each of so many equal parts of the range.
  package let histogram: [Int]

  static let binCount = 48
}

extension NetworkLook {
  /// What the layers give for the first samples of the test set.
  ///
  /// - Parameter sampleLimit: how many are looked at, at most.
  package func activations(sampleLimit: Int) throws -> [ActivationStatistics] {
    let size = min(16, data.test.count, max(sampleLimit, 1))
    let (graph, layers) = try graph(batchSize: size) { $0.summary.output.rank >= 2 }
    let executable = try compiled(graph)
    var gathered = layers.map { Gathered(unitCount: $0.summary.output[1]) }
    for pass in 0..<2 {
      try batches(of: data.test, size: size, limit: sampleLimit) { batch in
        try executable.upload(batch)
        try executable.step()
        for (index, layer) in layers.enumerated() {
          let values = try executable.read(layer.name).floats
          if pass == 0 {
            gathered[index].addMoments(values, sampleCount: size)
          } else {
            gathered[index].addCounts(values)
          }
        }
      }
    }
    return zip(layers, gathered).map { $1.statistics(of: $0) }
  }

  /// Sums over batches.
  private struct Gathered {
    let unitCount: Int
    var (count, zeros) = (0, 0)
    var (sum, squares) = (0.0, 0.0)
    var lowest: [Float]
    var highest: [Float]
    var bins = [Int](repeating: 0, count: ActivationStatistics.binCount)

    init(unitCount: Int) {
      self.unitCount = unitCount
      lowest = [Float](repeating: .infinity, count: unitCount)
      highest = [Float](repeating: -.infinity, count: unitCount)
    }

    var range: ClosedRange<Double> {
      let low = lowest.min().map(Double.init) ?? 0
      let high = highest.max().map(Double.init) ?? 0
      return low.isFinite && high.isFinite && low <= high ? low...high : 0...0
    }

    /// - Parameter values: [N, units, …].
    mutating func addMoments(_ values: [Float], sampleCount: Int) {
      let plane = values.count / (sampleCount * unitCount)
      for (index, value) in values.enumerated() where value.isFinite {
        let unit = index / plane % unitCount
        lowest[unit] = min(lowest[unit], value)
        highest[unit] = max(highest[unit], value)
        count += 1
        if value == 0 { zeros += 1 }
        sum += Double(value)
        squares += Double(value) * Double(value)
      }
    }

    mutating func addCounts(_ values: [Float]) {
      let (low, width) = (range.lowerBound, range.upperBound - range.lowerBound)
      guard width > 0 else { return }
      for value in values where value.isFinite {
        let bin = Int((Double(value) - low) / width * Double(bins.count))
        bins[min(max(bin, 0), bins.count - 1)] += 1
      }
    }

    func statistics(of layer: Layer) -> ActivationStatistics {
      let total = Double(max(count, 1))
      let mean = sum / total
      return ActivationStatistics(
        name: layer.name, kind: layer.summary.kind, mean: mean,
        deviation: max(squares / total - mean * mean, 0).squareRoot(),
        zeroShare: Double(zeros) / total, unitCount: unitCount,
        deadUnits: (0..<unitCount).filter { lowest[$0] == highest[$0] }, range: range,
        histogram: bins)
    }
  }
}
