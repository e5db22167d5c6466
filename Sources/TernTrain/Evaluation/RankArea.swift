import TernCore

/// The area under a ROC curve, by ranks: the probability that a positive scores above a negative, ties
/// counting half. Mann and Whitney, 1947.
enum RankArea {
  /// - Returns: `nil` where all or none are positive, and where a score is not a number.
  static func area<Score: BinaryFloatingPoint>(_ scores: [(score: Score, holds: Bool)]) -> Double? {
    let ranked = scores.sorted { Double($0.score).isOrdered(before: Double($1.score)) }
    guard let last = ranked.last, !last.score.isNaN else { return nil }
    let positives = ranked.count(where: \.holds)
    let negatives = ranked.count - positives
    guard positives > 0, negatives > 0 else { return nil }
    var rankSum = 0.0
    var start = 0
    while start < ranked.count {
      var end = start
      while end < ranked.count, ranked[end].score == ranked[start].score { end += 1 }
      let meanRank = Double(start + 1 + end) / 2
      rankSum += meanRank * Double(ranked[start..<end].count(where: \.holds))
      start = end
    }
    let p = Double(positives)
    return (rankSum - p * (p + 1) / 2) / (p * Double(negatives))
  }
}
