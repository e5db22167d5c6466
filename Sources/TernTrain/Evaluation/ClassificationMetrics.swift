import Foundation
import TernCore

/// How well a classifier does on a set, gathered batch by batch and weighted by sample.
public struct ClassificationMetrics: Sendable {
  /// The number of classes.
  public let classCount: Int
  private var lossSum = 0.0
  private var weightSum = 0.0
  private var top5Count = 0
  /// Which classes the samples were taken for.
  public private(set) var matrix: ConfusionMatrix
  /// How many samples of class `row` were taken for class `column`; empty where there are more
  /// classes than ``ConfusionMatrix/largestDense``.
  public var confusion: [[Int]] { matrix.rows }
  /// As many scores as are kept for what is computed from all of them together: 256 MiB.
  private static let largestScoreCount = 1 << 26
  private var keepsScores = true
  private var scores: [(scores: [Float], label: Int, sample: Int)] = []

  let furtherMetric: Metric?

  /// The metrics of no samples.
  ///
  /// - Parameter furtherMetric: what ``OutputMetrics/values`` are to tell: ``Metric/meanIoU`` or
  ///   ``Metric/auc``.
  public init(classCount: Int, furtherMetric: Metric? = nil) {
    self.classCount = classCount
    self.furtherMetric = furtherMetric
    matrix = ConfusionMatrix(classCount: classCount)
  }

  /// Adds a batch.
  ///
  /// - Parameters:
  ///   - logits: [N, C], or [N, C, H, W] for a class per pixel, row by row.
  ///   - labels: [N], or [N, H, W]; those below 0 do not count.
  ///   - loss: the mean loss of the batch.
  ///   - weight: what that is the mean over, where it is not the samples.
  ///   - sampleCount: N, where it is not the number of labels.
  public mutating func add(
    logits: [Float], labels: [Int32], loss: Double, weight: Double? = nil, sampleCount: Int? = nil
  ) {
    let count = sampleCount ?? labels.count
    let weight = weight ?? Double(count)
    self.sampleCount += count
    lossSum += loss * weight
    weightSum += weight
    let pixelCount = labels.count / count
    isPerPixel = pixelCount > 1
    var values = [Float](repeating: 0, count: classCount)
    var masks = isPerPixel ? MaskMistakes(sampleCount: count, pixelCount: pixelCount) : nil
    for (position, label) in labels.enumerated() where label >= 0 {
      let (row, pixel) = position.quotientAndRemainder(dividingBy: pixelCount)
      for c in 0..<classCount { values[c] = logits[(row * classCount + c) * pixelCount + pixel] }
      let label = Int(label)
      let best = values.indexOfLargest ?? 0
      matrix.add(label: label, prediction: best)
      masks?.add(position, prediction: best, label: label)
      labelCount += 1
      // How many classes stand before it, of equal scores the first ones.
      let own = values[label]
      var rank = 0
      for c in 0..<classCount
      where own.isOrdered(before: values[c]) || (own.isOrdered(with: values[c]) && c < label) {
        rank += 1
      }
      if rank < 5 { top5Count += 1 }
      // The scores of every pixel of a set would not fit into memory, nor those of a large set for
      // very many classes.
      if pixelCount == 1, keepsScores {
        scores.append((values, label, self.sampleCount - count + row))
        keepsScores = scores.count * classCount <= Self.largestScoreCount
        if !keepsScores { scores = [] }
      }
    }
    if let masks {
      worstMasks = masks.worst(with: worstMasks, firstSample: self.sampleCount - count)
    }
  }

  /// The pictures of which the largest part of the pixels was mistaken, the worst first, where
  /// pixels are classified.
  private(set) var worstMasks: [MaskMistakes.Sample] = []

  /// The samples measured so far.
  public private(set) var sampleCount = 0
  /// Whether what was classified are pixels.
  public private(set) var isPerPixel = false
  /// What was classified: samples or pixels.
  private var labelCount = 0
  /// The mean loss.
  public var loss: Double { lossSum / weightSum }
  /// The share of targets whose class has the largest score.
  public var accuracy: Double {
    Double(matrix.hits.reduce(0, +)) / Double(labelCount)
  }
  /// The share of targets whose class is among the five largest scores.
  public var top5: Double { Double(top5Count) / Double(labelCount) }

  /// Intersection over union of the pixels of a class and those taken for it, the mean over the
  /// classes that occur in either.
  public var meanIntersectionOverUnion: Double {
    let ratios = intersectionsOverUnion.filter { !$0.isNaN }
    return ratios.isEmpty ? .nan : ratios.reduce(0, +) / Double(ratios.count)
  }

  /// Intersection over union, class by class; not a number where a class occurs in neither.
  public var intersectionsOverUnion: [Double] {
    (0..<classCount).map { c in
      let union = matrix.supports[c] + matrix.predictions[c] - matrix.hits[c]
      return union == 0 ? .nan : Double(matrix.hits[c]) / Double(union)
    }
  }

  /// How well one class is told from the others.
  public struct ClassScore: Sendable {
    /// The share of what was taken for the class that is of it.
    public let precision: Double
    /// The share of the class that was taken for it.
    public let recall: Double
    /// The harmonic mean of precision and recall.
    public let f1: Double
    /// How many samples are of the class.
    public let support: Int
  }

  /// Precision, recall and their harmonic mean, class by class; 0 where a class never occurs.
  public var perClass: [ClassScore] {
    (0..<classCount).map { c in
      let hits = Double(matrix.hits[c])
      let (support, predicted) = (matrix.supports[c], matrix.predictions[c])
      let precision = predicted == 0 ? 0 : hits / Double(predicted)
      let recall = support == 0 ? 0 : hits / Double(support)
      let sum = precision + recall
      return ClassScore(
        precision: precision, recall: recall, f1: sum == 0 ? 0 : 2 * precision * recall / sum,
        support: support)
    }
  }

  /// A sample that was taken for another class than its own.
  public struct Mistake: Sendable, Hashable {
    /// The sample's place among those added.
    public let index: Int
    /// The class it is of.
    public let label: Int
    /// The class it was taken for.
    public let prediction: Int
    /// The probability of the class that was predicted.
    public let confidence: Double
  }

  /// The classes that were most often taken for another, with how often.
  public func commonestConfusions(_ count: Int) -> [(label: Int, prediction: Int, count: Int)] {
    matrix.counts.filter { $0.label != $0.prediction }.sorted {
      ($1.count, $0.label, $0.prediction) < ($0.count, $1.label, $1.prediction)
    }
    .prefix(count).map { $0 }
  }

  /// The mistaken samples whose own class was the least likely, the worst first.
  public func worstMistakes(_ count: Int) -> [Mistake] {
    scores.compactMap { entry -> (mistake: Mistake, own: Double)? in
      let probabilities = Self.softmax(entry.scores)
      let prediction = probabilities.indexOfLargest ?? 0
      guard prediction != entry.label else { return nil }
      return (
        Mistake(
          index: entry.sample, label: entry.label, prediction: prediction,
          confidence: probabilities[prediction]), probabilities[entry.label]
      )
    }.sorted { a, b in
      a.own.isOrdered(with: b.own)
        ? a.mistake.index < b.mistake.index : a.own.isOrdered(before: b.own)
    }.prefix(count).map(\.mistake)
  }

  /// The probabilities of a sample's classes.
  public static func softmax(_ logits: [Float]) -> [Double] {
    let (maximum, sum) = partition(logits)
    return logits.map { exp(Double($0) - maximum) / sum }
  }

  /// The largest logit, and the sum of the powers of all less that one.
  private static func partition(_ logits: [Float]) -> (maximum: Double, sum: Double) {
    let maximum = Double(logits.max() ?? 0)
    return (maximum, logits.reduce(0) { $0 + exp(Double($1) - maximum) })
  }

  /// The area under the ROC curve: of class 1 for two classes, else the mean over the classes, each
  /// against the rest, by softmax probability; `nil` where a class never or always occurs, and where
  /// a probability is not a number.
  public var auc: Double? {
    guard classCount >= 2, !scores.isEmpty else { return nil }
    let classes = classCount == 2 ? [1] : Array(0..<classCount)
    guard classes.allSatisfy({ matrix.supports[$0] > 0 }) else { return nil }
    let partitions = scores.map { Self.partition($0.scores) }
    var sum = 0.0
    for c in classes {
      guard let area = area(ofClass: c, partitions) else { return nil }
      sum += area
    }
    return sum / Double(classes.count)
  }

  private func area(
    ofClass c: Int, _ partitions: [(maximum: Double, sum: Double)]
  ) -> Double? {
    RankArea.area(
      zip(scores, partitions).map { entry, own in
        (exp(Double(entry.scores[c]) - own.maximum) / own.sum, entry.label == c)
      })
  }
}
