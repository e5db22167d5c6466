import TernCore
import TernData

/// How well numbers are predicted on a set, in the units of the data; gathered batch by batch.
public struct RegressionMetrics: OutputMetrics {
  private let scale: TargetScale
  private var squares: [Double]
  private var distances: [Double]
  /// Of the true numbers, by Welford's recurrence, which loses no digits far from 0.
  private var means: [Double]
  private var deviationSquares: [Double]
  private(set) var sampleCount = 0

  /// - Parameter scale: how numbers were scaled for the network, column by column.
  public init(_ scale: TargetScale) {
    self.scale = scale
    squares = scale.means.map { _ in 0 }
    distances = squares
    means = squares
    deviationSquares = squares
  }

  private var columnCount: Int { squares.count }

  /// - Parameter outputs: [N, T], or [N, 2T] where each has a variance too: the first T count.
  public mutating func add(
    outputs: [Float], targets: UnsafeRawBufferPointer, loss: Double, weight: Double,
    sampleCount: Int
  ) {
    let targets = targets.bindMemory(to: Float.self)
    let width = outputs.count / sampleCount
    for row in 0..<sampleCount {
      self.sampleCount += 1
      for column in 0..<columnCount {
        let truth = scale.original(targets[row * columnCount + column], column: column)
        let error = scale.original(outputs[row * width + column], column: column) - truth
        squares[column] += error * error
        distances[column] += abs(error)
        let distance = truth - means[column]
        means[column] += distance / Double(self.sampleCount)
        deviationSquares[column] += distance * (truth - means[column])
      }
    }
  }

  public var accuracyOfAll: Double? { nil }

  /// The mean squared error, over samples and columns.
  public var mse: Double { squares.reduce(0, +) / Double(sampleCount * columnCount) }
  /// The mean absolute error, over samples and columns.
  public var mae: Double { distances.reduce(0, +) / Double(sampleCount * columnCount) }
  /// 1 − Σ(t − o)² / Σ(t − t̄)², the mean over the columns; not a number where a column is constant.
  public var r2: Double {
    let columns = zip(squares, deviationSquares).map { $1 > 0 ? 1 - $0 / $1 : .nan }
    return columns.reduce(0, +) / Double(columnCount)
  }

  public var values: [String: Double] {
    [Metric.mse.name: mse, Metric.mae.name: mae, Metric.r2.name: r2]
  }
}
