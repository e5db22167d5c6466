import TernCore

/// How well labels are told of which each holds or does not; gathered batch by batch. A label is taken
/// for one that holds where its score is above 0.
public struct MultilabelMetrics: OutputMetrics {
  /// The number of labels.
  public let labelCount: Int
  /// The samples measured so far.
  public private(set) var sampleCount = 0
  private var exactCount = 0
  /// By label: taken rightly for one that holds, taken for one, and held by.
  private var hits: [Int]
  private var predictions: [Int]
  private var supports: [Int]
  private var correct: [Int]
  private var scores: [[(score: Float, holds: Bool)]]
  /// As many scores as are kept for the areas under the curves: 256 MiB.
  private static let largestScoreCount = 1 << 25

  /// The metrics of no samples.
  public init(labelCount: Int) {
    self.labelCount = labelCount
    hits = [Int](repeating: 0, count: labelCount)
    predictions = hits
    supports = hits
    correct = hits
    scores = [[(score: Float, holds: Bool)]](repeating: [], count: labelCount)
  }

  public mutating func add(
    outputs: [Float], targets: UnsafeRawBufferPointer, loss: Double, weight: Double,
    sampleCount: Int
  ) {
    let targets = targets.bindMemory(to: Float.self)
    let keepsScores = (self.sampleCount + sampleCount) * labelCount <= Self.largestScoreCount
    for row in 0..<sampleCount {
      var isExact = true
      for label in 0..<labelCount {
        let score = outputs[row * labelCount + label]
        let holds = targets[row * labelCount + label] > 0.5
        let isTaken = score > 0
        if holds { supports[label] += 1 }
        if isTaken { predictions[label] += 1 }
        if holds && isTaken { hits[label] += 1 }
        if holds == isTaken { correct[label] += 1 } else { isExact = false }
        if keepsScores { scores[label].append((score, holds)) }
      }
      if isExact { exactCount += 1 }
    }
    self.sampleCount += sampleCount
    if !keepsScores { scores = scores.map { _ in [] } }
  }

  /// The part of all labels of all samples that is told rightly.
  public var accuracy: Double {
    Double(correct.reduce(0, +)) / Double(sampleCount * labelCount)
  }
  public var accuracyOfAll: Double? { accuracy }
  /// The part of the samples of which every label is told rightly.
  public var exactMatch: Double { Double(exactCount) / Double(sampleCount) }

  /// How well one label is told.
  public struct LabelScore: Sendable {
    /// The share of the samples said to have the label that have it.
    public let precision: Double
    /// The share of the samples with the label that were said to have it.
    public let recall: Double
    /// The harmonic mean of precision and recall.
    public let f1: Double
    /// How many samples have the label.
    public let support: Int
    /// The area under the ROC curve; `nil` where the label always or never holds.
    public let auc: Double?
  }

  /// Label by label; 0 where a label never holds.
  public var perLabel: [LabelScore] {
    (0..<labelCount).map { label in
      let count = Double(hits[label])
      return LabelScore(
        precision: predictions[label] == 0 ? 0 : count / Double(predictions[label]),
        recall: supports[label] == 0 ? 0 : count / Double(supports[label]), f1: f1(label),
        support: supports[label], auc: RankArea.area(scores[label]))
    }
  }

  /// 2·hits / (taken + held by): the harmonic mean of precision and recall.
  private func f1(_ label: Int) -> Double {
    let sum = predictions[label] + supports[label]
    return sum == 0 ? 0 : 2 * Double(hits[label]) / Double(sum)
  }

  /// The mean of the labels' F1.
  public var f1: Double { (0..<labelCount).map(f1).reduce(0, +) / Double(labelCount) }
  /// The mean of the labels' areas; `nil` where one has none.
  public var auc: Double? {
    let areas = scores.map { RankArea.area($0) }
    guard !areas.contains(nil) else { return nil }
    return areas.compactMap(\.self).reduce(0, +) / Double(labelCount)
  }

  public var values: [String: Double] {
    [Metric.f1.name: f1, "exact_match": exactMatch].merging(
      auc.map { [Metric.auc.name: $0] } ?? [:]
    ) { first, _ in first }
  }
}
