/// How text becomes samples.
public struct TextOptions: Hashable, Sendable {
  /// What it is cut into.
  public var unit: TokenUnit
  /// How many tokens a vocabulary has at most.
  public var vocabularyLimit: Int
  /// T, the tokens of a sample.
  public var length: Int
  /// The column of a table that holds the text; where none is named, the one called `text`, or the only
  /// one beside the class.
  public var column: String?

  /// Words, at most ten thousand different ones, 64 in a sample, unless something else is said.
  public init(
    _ unit: TokenUnit = .word, vocabularyLimit: Int = 10_000, length: Int = 64,
    column: String? = nil
  ) {
    self.unit = unit
    self.vocabularyLimit = vocabularyLimit
    self.length = length
    self.column = column
  }
}
