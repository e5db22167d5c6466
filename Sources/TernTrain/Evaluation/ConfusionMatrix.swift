/// How often samples of one class were taken for another. Of some hundred classes nearly all pairs
/// never occur: only those that do are kept.
public struct ConfusionMatrix: Sendable {
  /// The number of classes.
  public let classCount: Int
  /// The counts of pairs, row by row; empty where ``pairs`` has them.
  private var dense: [Int]
  private var pairs: [Int: Int] = [:]
  /// How many samples each class has.
  public private(set) var supports: [Int]
  /// How many samples were taken for each class.
  public private(set) var predictions: [Int]
  /// How many of those rightly.
  public private(set) var hits: [Int]

  /// A matrix of more classes is written as a list of its pairs.
  public static let largestDense = 256

  /// A matrix of no samples.
  public init(classCount: Int) {
    self.classCount = classCount
    let isDense = classCount <= Self.largestDense
    dense = isDense ? [Int](repeating: 0, count: classCount * classCount) : []
    supports = [Int](repeating: 0, count: classCount)
    (predictions, hits) = (supports, supports)
  }

  /// Counts a sample.
  ///
  /// - Precondition: both are numbers of classes.
  public mutating func add(label: Int, prediction: Int) {
    let pair = label * classCount + prediction
    if dense.isEmpty { pairs[pair, default: 0] += 1 } else { dense[pair] += 1 }
    supports[label] += 1
    predictions[prediction] += 1
    if label == prediction { hits[label] += 1 }
  }

  /// A row per true class; empty where there are more than ``largestDense``.
  public var rows: [[Int]] {
    guard !dense.isEmpty else { return [] }
    return (0..<classCount).map { Array(dense[$0 * classCount..<($0 + 1) * classCount]) }
  }

  /// The pairs that occur, by class and prediction.
  public var counts: [(label: Int, prediction: Int, count: Int)] {
    let found =
      dense.isEmpty
      ? pairs.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
      : dense.enumerated().filter { $0.element > 0 }.map { ($0.offset, $0.element) }
    return found.map { (label: $0.0 / classCount, prediction: $0.0 % classCount, count: $0.1) }
  }
}
