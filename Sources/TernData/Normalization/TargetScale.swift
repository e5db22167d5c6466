import Foundation
import TernCore

/// What numbers to be predicted become before they are held against a network: (value − mean) /
/// deviation, with a mean and a deviation per column. What is reported is scaled back.
public struct TargetScale: Hashable, Sendable {
  /// What is subtracted from each column.
  public let means: [Double]
  /// What each column is divided by.
  public let deviations: [Double]

  /// A mean and a deviation per column.
  public init(means: [Double], deviations: [Double]) {
    precondition(means.count == deviations.count)
    self.means = means
    self.deviations = deviations
  }

  /// Leaves `count` numbers as they are.
  public static func identity(_ count: Int) -> TargetScale {
    TargetScale(
      means: [Double](repeating: 0, count: count), deviations: [Double](repeating: 1, count: count))
  }

  /// Gives each column of a training set mean 0 and deviation 1; a constant column stays at 0.
  ///
  /// - Precondition: the targets of `dataset` are numbers [T].
  /// - Throws: ``TernError`` where a sample cannot be read.
  public init(statisticsOf dataset: any Dataset) throws {
    var sums = [Double](repeating: 0, count: dataset.classCount)
    for index in 0..<dataset.count {
      for (column, value) in try dataset.numbers(index).enumerated() {
        sums[column] += Double(value)
      }
    }
    let count = Double(dataset.count)
    let means = sums.map { $0 / count }
    var squares = [Double](repeating: 0, count: dataset.classCount)
    for index in 0..<dataset.count {
      for (column, value) in try dataset.numbers(index).enumerated() {
        squares[column] += (Double(value) - means[column]) * (Double(value) - means[column])
      }
    }
    self.init(
      means: means,
      deviations: squares.map { $0 > 0 ? ($0 / count).squareRoot() : 1 })
  }

  /// Scales a sample's numbers [T] in place.
  func apply(to values: UnsafeMutablePointer<Float>) {
    for i in means.indices { values[i] = Float((Double(values[i]) - means[i]) / deviations[i]) }
  }

  /// A number of a column as the data has it.
  public func original(_ value: Float, column: Int) -> Double {
    Double(value) * deviations[column] + means[column]
  }

  /// As a checkpoint stores it: a pair per column.
  public var text: String {
    zip(means, deviations).map { "\($0),\($1)" }.joined(separator: ";")
  }

  /// Reads ``text``; `nil` where it is not that.
  public init?(text: String) {
    guard let scale = Normalization(text: text), scale.projection.isEmpty else { return nil }
    self.init(means: scale.means, deviations: scale.deviations)
  }
}
