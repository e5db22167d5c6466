import TernCore

/// One random change.
struct Transform: Hashable, Sendable {
  enum Kind: String, CaseIterable, Sendable {
    case flip
    case verticalFlip = "vflip"
    case crop
    case rotate
    case scale
    case hsv
    case fancyPCA = "fancy-pca"
    case erase
    case resizedCrop = "resized-crop"
    case mixup

    /// Whether pixels change their places and stay what they are.
    var movesPixels: Bool { [.flip, .verticalFlip, .crop].contains(self) }

    /// Whether a pixel becomes a mean of others, which class numbers have not.
    var blendsPixels: Bool { [.rotate, .scale, .resizedCrop].contains(self) }

    var needsColor: Bool { self == .hsv || self == .fancyPCA }

    /// The parameter's default, the values allowed, and what an error calls them.
    var parameter: (standard: Double, allowed: ClosedRange<Double>, meaning: String) {
      switch self {
      case .flip, .verticalFlip, .erase: (0.5, 0...1, "a probability")
      case .crop: (4, 1...4096, "a whole number of pixels")
      case .rotate: (15, 0...180, "degrees, 0 to 180")
      case .scale: (0.1, 0...0.9, "a part, 0 to 0.9")
      case .hsv: (1, 0...1, "a strength, 0 to 1")
      case .fancyPCA: (0.1, 0...10, "a standard deviation, 0 to 10")
      case .mixup: (0.2, 0.01...10, "the α of a Beta distribution, 0.01 to 10")
      case .resizedCrop: (0.08, 0.01...1, "the smallest area, 0.01 to 1")
      }
    }
  }

  let kind: Kind
  let value: Double

  /// Reads `NAME` or `NAME:PARAMETER`.
  init(_ text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts.first.map(String.init) ?? ""
    guard let kind = Kind(rawValue: name) else {
      let known = Augmentation.names
      let hint = EditDistance.nearest(to: name, among: known).map { "; did you mean '\($0)'?" }
      throw TernError(
        .usage,
        "augment: unknown '\(name)'" + (hint ?? "; known are \(known.joined(separator: ", "))"))
    }
    self.kind = kind
    let (standard, allowed, meaning) = kind.parameter
    guard parts.count == 2 else {
      value = standard
      return
    }
    guard let value = Double(parts[1]), allowed.contains(value),
      kind != .crop || value == value.rounded()
    else { throw TernError(.usage, "augment: \(name) takes \(meaning), got '\(parts[1])'") }
    self.value = value
  }
}

extension StringProtocol {
  /// Without the spaces at both ends.
  var trimmingSpaces: SubSequence {
    let start = firstIndex { $0 != " " } ?? endIndex
    let end = lastIndex { $0 != " " }.map(index(after:)) ?? start
    return self[start..<end]
  }
}
