/// What of data is to be predicted.
public struct TargetSelection: Hashable, Sendable {
  /// What kind of thing is predicted.
  public enum Kind: Hashable, Sendable {
    /// A class per sample, or per pixel where the data has masks.
    case classes
    /// Numbers, [T].
    case numbers
    /// Labels of which each holds (1) or does not (0), [T].
    case labels
    /// The token that follows each token of a text, [T].
    case tokens
  }

  /// What kind of thing is predicted.
  public var kind: Kind
  /// The array that holds the samples it is predicted of, in a file of arrays; `nil` for the one whose name says it.
  public var samples: String?
  /// The columns of a table that hold it; where none is given, the one called `label`, else the last.
  public var columns: [String]
  /// The part of the samples that is held out for testing where data comes without a test set; 0 measures
  /// the training samples. `nil` for a fifth, and 0 for few samples with numbers, see ``fewSamples``.
  public var testSplit: Double?

  /// How text becomes samples.
  public var text: TextOptions

  /// What is not said is left to the data.
  public init(
    _ kind: Kind = .classes, samples: String? = nil, columns: [String] = [],
    testSplit: Double? = nil,
    text: TextOptions = TextOptions()
  ) {
    self.kind = kind
    self.samples = samples
    self.columns = columns
    self.testSplit = testSplit
    self.text = text
  }

  /// Whether numbers are predicted, or labels that hold or do not.
  var isNumeric: Bool { kind == .numbers || kind == .labels }

  /// Of fewer samples with numbers to be predicted none is held out unless it is asked for.
  public static let fewSamples = 20
}
