import TernCore
import TernData

/// What is stored beside weights of the samples they were trained on, so that a network can be used
/// where the data is not.
public struct SampleDescription: Sendable {
  /// One sample: [C, H, W] or [D].
  public let shape: Shape
  public let classNames: [String]
  public let normalization: Normalization

  private static let shapeKey = "input"
  private static let countKey = "classes"
  private static let namesKey = "class_names"
  private static let normalizationKey = "normalization"
  /// The setting that the normalisation comes from.
  static let normalizeKey = "normalize"

  init(shape: Shape, classNames: [String], normalization: Normalization) {
    (self.shape, self.classNames, self.normalization) = (shape, classNames, normalization)
  }

  /// Reads what ``metadata`` wrote; `nil` where that is not there or does not fit together.
  public init?(_ metadata: [String: String]) {
    guard let text = metadata[Self.shapeKey], let shape = Self.shape(text),
      let names = metadata[Self.namesKey], case .array(let list)? = try? JSON(parsing: names),
      let normalization = Self.normalization(in: metadata), normalization.fits(shape)
    else { return nil }
    let classNames = list.compactMap { name -> String? in
      if case .string(let text) = name { text } else { nil }
    }
    guard classNames.count == list.count, "\(classNames.count)" == metadata[Self.countKey] else {
      return nil
    }
    self.init(shape: shape, classNames: classNames, normalization: normalization)
  }

  var metadata: [String: String] {
    [
      Self.shapeKey: "\(shape)", Self.countKey: "\(classNames.count)",
      Self.namesKey: JSON.array(classNames.map(JSON.string)).description,
      Self.normalizationKey: normalization.text,
    ]
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
