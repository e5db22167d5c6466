/// How far a misspelt name is from a known one.
package enum EditDistance {
  /// The number of insertions, deletions, substitutions and exchanges of neighbours that turn `a` into
  /// `b`, no letter touched twice.
  ///
  /// Source: Damerau, "A technique for computer detection and correction of spelling errors", 1964, in
  /// the restricted form (optimal string alignment).
  package static func between(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var (older, row) = ([Int](), Array(0...b.count))
    for i in a.indices {
      var next = [i + 1]
      for j in b.indices {
        var distance = min(row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          distance = min(distance, older[j - 1] + 1)
        }
        next.append(distance)
      }
      (older, row) = (row, next)
    }
    return row[b.count]
  }

  /// Longer words are no misspelt names, and would take long to compare.
  private static let longestWord = 64

  /// The name that was probably meant by `word`: the same but for case and hyphens, what other
  /// libraries call so (``Synonyms``), the only one that begins with it, or the nearest one, if any is
  /// near enough: one that shares nothing with a short word is not.
  package static func nearest(to word: String, among names: [String]) -> String? {
    guard word.utf8.count <= longestWord else { return nil }
    let plain = Synonyms.plain(word)
    guard !plain.isEmpty else { return nil }
    if let same = names.first(where: { Synonyms.plain($0) == plain }) { return same }
    let called = Synonyms.names(for: plain)
    if let known = called.lazy.compactMap({ name in names.first { $0 == name } }).first {
      return known
    }
    let distances = names.map { (name: $0, distance: between(word, $0)) }
    if let best = distances.min(by: { $0.distance < $1.distance }),
      best.distance <= min(max(2, word.count / 3), word.count - 1)
    {
      return best.name
    }
    let longer = names.filter { $0.hasPrefix(word) }
    return word.count >= 3 && longer.count == 1 ? longer[0] : nil
  }
}
