import Tern
import Testing

@Suite struct MetricsTests {
  @Test func confusionAndScores() {
    var metrics = ClassificationMetrics(classCount: 3)
    // Taken for 0, 0, 1, 2; true classes 0, 1, 1, 2.
    metrics.add(
      logits: [2, 1, 0, 3, 1, 0, 0, 2, 1, 0, 1, 5], labels: [0, 1, 1, 2], loss: 0.5)
    metrics.add(logits: [0, 0, 1], labels: [0], loss: 3)
    #expect(metrics.sampleCount == 5)
    #expect(metrics.confusion == [[1, 0, 1], [1, 1, 0], [0, 0, 1]])
    #expect(abs(metrics.loss - 1) < 1e-12)
    #expect(metrics.accuracy == 0.6)
    #expect(metrics.top5 == 1)
    let first = metrics.perClass[0]
    #expect(first.precision == 0.5 && first.recall == 0.5 && first.f1 == 0.5 && first.support == 2)
  }

  /// By how unlikely the own class was; a sample without a label keeps the others' places.
  @Test func commonestConfusionsComeFirst() {
    var metrics = ClassificationMetrics(classCount: 3)
    let taken: [(Int32, Int)] = [(0, 1), (2, 0), (2, 0), (1, 1), (0, 2)]
    for (label, prediction) in taken {
      metrics.add(
        logits: (0..<3).map { $0 == prediction ? 1 : 0 }, labels: [label], loss: 1)
    }
    let pairs = metrics.commonestConfusions(2).map { [$0.label, $0.prediction, $0.count] }
    #expect(pairs == [[2, 0, 2], [0, 1, 1]])
  }

  @Test func worstMistakesComeFirst() {
    var metrics = ClassificationMetrics(classCount: 2)
    metrics.add(logits: [0, 1, 3, 0], labels: [0, -1], loss: 0)
    metrics.add(logits: [0, 4, 0, 2], labels: [0, 1], loss: 0)
    let mistakes = metrics.worstMistakes(5)
    #expect(mistakes.map(\.index) == [2, 0])
    #expect(mistakes.map(\.prediction) == [1, 1])
    #expect(abs(mistakes[0].confidence - 0.98201379) < 1e-6)
    #expect(metrics.worstMistakes(1).count == 1)
  }

  /// Of 2 × 3 pairs of a positive and a negative, 4 are in order and one is tied.
  @Test func areaUnderTheCurve() {
    var metrics = ClassificationMetrics(classCount: 2)
    let scores: [(Float, Int32)] = [(3, 1), (1, 1), (0, 0), (1, 0), (2, 0)]
    for (score, label) in scores { metrics.add(logits: [0, score], labels: [label], loss: 0) }
    #expect(abs(metrics.auc! - 4.5 / 6) < 1e-12)
  }

  @Test func areaNeedsBothClasses() {
    var metrics = ClassificationMetrics(classCount: 2)
    metrics.add(logits: [0, 1], labels: [1], loss: 0)
    #expect(metrics.auc == nil)
  }

  /// A weight that flipped a bit, or a value of 3e38, makes scores that are no numbers: they are
  /// counted, and nothing waits for them to be equal to themselves.
  @Test(.timeLimit(.minutes(1)))
  func scoresThatAreNoNumbers() {
    for broken in [Float.nan, .infinity, -.infinity] {
      var metrics = ClassificationMetrics(classCount: 3)
      metrics.add(
        logits: [broken, broken, broken, 1, broken, 0, 3, 1, 0, broken, 2, broken],
        labels: [0, 2, 0, 1], loss: Double(broken))
      metrics.add(logits: [Float](repeating: broken, count: 9), labels: [0, 1, 2], loss: 0)
      #expect(metrics.confusion.reduce(0) { $0 + $1.reduce(0, +) } == 7)
      #expect(metrics.top5 == 1 && (0...1).contains(metrics.accuracy))
      #expect(metrics.auc == nil && metrics.worstMistakes(10).count <= 7)
      #expect(metrics.perClass.count == 3 && metrics.commonestConfusions(9).count <= 6)
    }
  }
}

@Suite struct ConfusionMatrixTests {
  /// Of many classes only the pairs that occur are kept, and all numbers are those of a full matrix.
  @Test(arguments: [2, 256, 257, 20_096]) func countsDoNotDependOnHowTheyAreKept(classCount: Int) {
    var matrix = ConfusionMatrix(classCount: classCount)
    var expected: [[Int]: Int] = [:]
    let generator = Philox(seed: 1, stream: .data)
    let draws = generator.uniforms(4000, 1).map { min(Int($0 * Float(classCount)), classCount - 1) }
    for (label, prediction) in zip(draws[..<2000], draws[2000...]) {
      // Right every other time.
      let taken = (label + prediction) % 2 == 0 ? label : prediction
      matrix.add(label: label, prediction: taken)
      expected[[label, taken], default: 0] += 1
    }
    #expect(
      Dictionary(uniqueKeysWithValues: matrix.counts.map { ([$0.label, $0.prediction], $0.count) })
        == expected)
    #expect(
      matrix.counts.map { $0.label * classCount + $0.prediction }.sorted()
        == matrix.counts.map { $0.label * classCount + $0.prediction })
    #expect(matrix.supports.reduce(0, +) == 2000 && matrix.predictions.reduce(0, +) == 2000)
    #expect(
      matrix.hits.reduce(0, +) == expected.filter { $0.key[0] == $0.key[1] }.values.reduce(0, +))
    #expect(matrix.rows.isEmpty == (classCount > ConfusionMatrix.largestDense))
    for (label, row) in matrix.rows.enumerated() {
      for (prediction, count) in row.enumerated() {
        #expect(count == expected[[label, prediction]] ?? 0)
      }
    }
  }
}
