/// How far a misspelt name is from a known one.
public enum EditDistance {
  /// The number of insertions, deletions and substitutions that turn `a` into `b`. Levenshtein, 1966.
  public static func between(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substitution, diagonal + 1, row[j] + 1)
      }
    }
    return row[b.count]
  }

  /// The name nearest to `word`, if any is near enough to have been meant: one that shares nothing with
  /// a short word is not.
  public static func nearest(to word: String, among names: [String]) -> String? {
    guard let best = names.min(by: { between(word, $0) < between(word, $1) }),
      between(word, best) <= min(max(2, word.count / 3), word.count - 1)
    else { return nil }
    return best
  }
}
