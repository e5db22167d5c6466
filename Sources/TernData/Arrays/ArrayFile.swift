import TernCore

/// A file of arrays that have names.
protocol ArrayFile {
  var path: String { get }
  var arrayNames: [String] { get }
  /// Everything in it, as an error lists it.
  var contents: [String] { get }

  /// - Throws: ``TernError`` where it is damaged, or takes more memory than there is.
  func array(_ name: String) throws -> NPYArray
}

/// What an array of a data set holds.
enum ArrayRole: Hashable {
  case samples, labels
  /// A further input of the network.
  case input(Int)
}

/// What the names of arrays say: those of the network's inputs and of what is predicted, and the common ones.
struct ArrayNames {
  let inputs: [Field]
  let samples: String?
  let targets: [String]

  /// What a name says, and whether it is one that was given.
  private func role(_ name: some StringProtocol) -> (role: ArrayRole, isGiven: Bool)? {
    if samples?.lowercased() ?? "" == name { return (.samples, true) }
    if let position = inputs.firstIndex(where: { $0.name.lowercased() == name }) {
      return (position == 0 ? .samples : .input(position), name != Field.samplesName)
    }
    if targets.contains(where: { $0.lowercased() == name }) { return (.labels, true) }
    switch name {
    case "x", "image", "images", "data", "samples", "features": return (.samples, false)
    case "y", "label", "labels", "target", "targets": return (.labels, false)
    default: return nil
    }
  }

  typealias Use = (part: DataPart, role: ArrayRole, isGiven: Bool)

  /// What an array is for; `nil` where its name does not say.
  ///
  /// - Parameter part: what all arrays of the file are for, where that is known.
  func use(of array: String, in part: DataPart?) -> Use? {
    func use(_ part: DataPart, _ name: some StringProtocol) -> Use? {
      role(name).map { (part, $0.role, $0.isGiven) }
    }
    let lower = array.lowercased()
    if let part { return use(part, lower) }
    let words = lower.split(separator: "_")
    // Names of inputs may hold underscores themselves.
    if (inputs.map(\.name) + targets + [samples ?? ""]).contains(where: { $0.lowercased() == lower }
    ) {
      return use(.training, lower)
    }
    for (word, rest) in [
      (words.last ?? "", words.dropLast()), (words.first ?? "", words.dropFirst()),
    ] where rest.count > 1 {
      let name = rest.joined(separator: "_")
      if let part = DataPart(named: word), let found = use(part, name) { return found }
    }
    switch words.count {
    case 1:
      // Alone, other words are too common to mean this.
      guard ["x", "y", "images", "labels", "data", "label"].contains(words[0]) else { return nil }
      return use(.training, words[0])
    case 2:
      for (first, second) in [(words[0], words[1]), (words[1], words[0])] {
        if let part = DataPart(named: first), let found = use(part, second) { return found }
      }
      return nil
    default:
      return nil
    }
  }
}
