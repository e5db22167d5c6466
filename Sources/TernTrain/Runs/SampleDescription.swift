import TernCore
import TernData

/// What is stored beside weights of the samples they were trained on, so that a network can be used
/// where the data is not.
public struct SampleDescription: Sendable {
  /// One sample: [C, H, W] or [D].
  public let shape: Shape
  /// The names of the classes, in the order of their numbers.
  public let classNames: [String]
  /// The columns of a table, where it had names for them.
  public let columns: TableColumns?
  /// What samples become before they enter the network.
  public let normalization: Normalization
  /// How numbers to be predicted were scaled; `nil` where there are classes.
  public let targetScale: TargetScale?

  /// The tokens of text.
  public let vocabulary: Vocabulary?

  private static let shapeKey = "input"
  private static let countKey = "classes"
  private static let namesKey = "class_names"
  private static let featuresKey = "feature_columns"
  private static let labelKey = "label_column"
  private static let targetsKey = "target_columns"
  private static let targetScaleKey = "target_scale"
  private static let tokensKey = "tokens"
  private static let vocabularyKey = "vocabulary"
  private static let normalizationKey = "normalization"
  /// The setting that the normalisation comes from.
  static let normalizeKey = "normalize"

  init(
    shape: Shape, classNames: [String], columns: TableColumns? = nil,
    normalization: Normalization, targetScale: TargetScale? = nil, vocabulary: Vocabulary? = nil
  ) {
    self.vocabulary = vocabulary
    self.targetScale = targetScale
    (self.shape, self.classNames) = (shape, classNames)
    (self.columns, self.normalization) = (columns, normalization)
  }

  /// What other data is held against.
  public var samples: TrainedSamples {
    TrainedSamples(
      shape: shape, classNames: classNames, columns: columns, vocabulary: vocabulary)
  }

  /// Reads what ``metadata`` wrote; `nil` where that is not there or does not fit together.
  public init?(_ metadata: [String: String]) {
    guard let text = metadata[Self.shapeKey], let shape = Self.shape(text),
      let classNames = Self.texts(metadata[Self.namesKey]),
      let normalization = Self.normalization(in: metadata), normalization.fits(shape)
    else { return nil }
    guard "\(classNames.count)" == metadata[Self.countKey] else { return nil }
    var columns: TableColumns?
    if let features = Self.texts(metadata[Self.featuresKey]) {
      if let targets = Self.texts(metadata[Self.targetsKey]), !targets.isEmpty {
        columns = TableColumns(features: features, targets: targets)
      } else if let label = metadata[Self.labelKey] {
        columns = TableColumns(features: features, label: label)
      }
    }
    self.init(
      shape: shape, classNames: classNames, columns: columns, normalization: normalization,
      targetScale: metadata[Self.targetScaleKey].flatMap(TargetScale.init(text:)),
      vocabulary: Self.vocabulary(in: metadata))
  }

  private static func vocabulary(in metadata: [String: String]) -> Vocabulary? {
    guard let unit = metadata[tokensKey].flatMap(TokenUnit.init(rawValue:)),
      let tokens = texts(metadata[vocabularyKey])
    else { return nil }
    return Vocabulary(unit, tokens: tokens)
  }

  private static func texts(_ list: String?) -> [String]? {
    guard let list, case .array(let values)? = try? JSON(parsing: list) else { return nil }
    let texts = values.compactMap(\.stringValue)
    return texts.count == values.count ? texts : nil
  }

  var metadata: [String: String] {
    var result = [
      Self.shapeKey: "\(shape)", Self.countKey: "\(classNames.count)",
      Self.namesKey: JSON.array(classNames.map(JSON.string)).description,
      Self.normalizationKey: normalization.text,
    ]
    if let columns {
      result[Self.featuresKey] = JSON.array(columns.features.map(JSON.string)).description
      if columns.targets.count == 1 {
        result[Self.labelKey] = columns.label
      } else {
        result[Self.targetsKey] = JSON.array(columns.targets.map(JSON.string)).description
      }
    }
    if let targetScale { result[Self.targetScaleKey] = targetScale.text }
    if let vocabulary {
      result[Self.tokensKey] = vocabulary.unit.rawValue
      result[Self.vocabularyKey] = JSON.array(vocabulary.tokens.map(JSON.string)).description
    }
    return result
  }

  static func normalization(in metadata: [String: String]) -> Normalization? {
    metadata[normalizationKey].flatMap(Normalization.init(text:))
  }

  /// Reads `[3, 224, 224]`.
  private static func shape(_ text: String) -> Shape? {
    guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
    let extents = text.dropFirst().dropLast().split(separator: ",").map {
      Int($0.drop { $0 == " " })
    }
    guard !extents.isEmpty, extents.allSatisfy({ (1...1 << 20).contains($0 ?? 0) }) else {
      return nil
    }
    return Shape(extents.compactMap(\.self))
  }
}
