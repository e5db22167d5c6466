/// What a progress bar's line holds, as wide as the terminal allows.
enum ProgressLine {
  private static let gap = "  "
  private static let widestBar = 24
  /// A bar's width is a multiple of this, so that it does not change with every digit beside it.
  private static let barUnit = 8

  /// The fields in their order, without those that do not fit.
  ///
  /// - Parameter fields: each with its place in the order in which they are given room, 0 first;
  ///   empty ones are left out.
  static func fitting(_ fields: [(text: String, rank: Int)], columns: Int) -> String {
    var room = columns
    var kept: [(position: Int, text: String)] = []
    for (position, field) in fields.enumerated().sorted(by: { $0.element.rank < $1.element.rank })
    where !field.text.isEmpty {
      let width = field.text.count + (kept.isEmpty ? 0 : gap.count)
      guard width <= room else { continue }
      room -= width
      kept.append((position, field.text))
    }
    return kept.sorted { $0.position < $1.position }.map(\.text).joined(separator: gap)
  }

  /// A bar of at most `width` cells; empty where that is too narrow to say anything.
  ///
  /// - Parameter done: 0 to 1.
  static func bar(width: Int, done: Double) -> String {
    let width = min(widestBar, max(width, 0) / barUnit * barUnit)
    let filled = Int(Double(width) * done)
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
  }
}
