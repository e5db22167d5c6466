import TernCore

/// What a part of a data set is for, by its name: `train`, `val`, `valid`, `validation`, `dev` and
/// `test`, in any case.
enum DataPart: String, CaseIterable {
  case training, validation, test

  init?(named name: some StringProtocol) {
    switch name.lowercased() {
    case "train", "training": self = .training
    case "val", "valid", "validation", "dev": self = .validation
    case "test", "testing": self = .test
    default: return nil
    }
  }

  /// The parts to be opened of those that there are: all, or where a network is measured, the one it
  /// is measured on.
  static func wanted(_ parts: some Collection<DataPart>, measures: Bool) -> [DataPart] {
    let order: [DataPart] = measures ? [.test, .validation, .training] : allCases
    return Array(order.filter(parts.contains).prefix(measures ? 1 : order.count))
  }

  /// The name that somebody meant who misspelt it: `tets` is `test`.
  static func nearest(to name: String) -> String? {
    EditDistance.nearest(
      to: name.lowercased(), among: ["train", "val", "valid", "validation", "dev", "test"])
  }
}

/// The parts that a data set comes in, and what is to be said of them.
struct DataParts {
  struct Part {
    let set: any Dataset
    /// Where it is from, as people know it: a folder, a file, an array.
    let origin: String
  }

  var training: Part?
  var validation: Part?
  var test: Part?
  var notes: [String] = []
  /// The columns of a table that has names for them.
  var columns: TableColumns?
  /// The tokens of text.
  var vocabulary: Vocabulary?

  subscript(part: DataPart) -> Part? {
    get {
      switch part {
      case .training: training
      case .validation: validation
      case .test: test
      }
    }
    set {
      switch part {
      case .training: training = newValue
      case .validation: validation = newValue
      case .test: test = newValue
      }
    }
  }
}

/// What a trained network knows of its samples: what other data is held against.
public struct TrainedSamples: Sendable {
  /// One sample: [C, H, W] or [D].
  public let shape: Shape
  /// The names of the classes, in the order of their numbers.
  public let classNames: [String]
  /// The columns of a table, where it had names for them.
  public let columns: TableColumns?
  /// The tokens of text.
  public let vocabulary: Vocabulary?

  /// What a network was trained on.
  public init(
    shape: Shape, classNames: [String], columns: TableColumns? = nil,
    vocabulary: Vocabulary? = nil
  ) {
    (self.shape, self.classNames, self.columns) = (shape, classNames, columns)
    self.vocabulary = vocabulary
  }
}

/// What of a data set's files is not used, counted.
struct LeftOut {
  private var pictures: [String: Int] = [:]
  private var nestedFolders = 0
  private var hidden = 0
  private var picturesBeside = 0
  private var others: [String] = []

  /// A file that is no PNG or JPEG.
  mutating func add(file name: String) {
    if name.hasPrefix(".") {
      hidden += 1
      return
    }
    let ending = name.split(separator: ".", omittingEmptySubsequences: false)
    pictures[ending.count > 1 ? "." + ending.last!.lowercased() : "no ending", default: 0] += 1
  }

  mutating func add(folder name: String) {
    if name.hasPrefix(".") { hidden += 1 } else { nestedFolders += 1 }
  }

  /// Pictures beside the folders of classes or parts.
  mutating func add(picturesBeside count: Int) { picturesBeside += count }

  /// Something beside the parts, called by its kind and name.
  mutating func add(_ kind: String, _ name: String) {
    let hint = DataPart.nearest(to: name).map { " (did you mean '\($0)'?)" } ?? ""
    others.append("\(kind) '\(name)'\(hint)")
  }

  /// Adds what another part of the data leaves out.
  mutating func add(_ other: LeftOut) {
    pictures.merge(other.pictures, uniquingKeysWith: +)
    nestedFolders += other.nestedFolders
    hidden += other.hidden
    picturesBeside += other.picturesBeside
    others += other.others
  }

  /// One line, or none where nothing is left out.
  var text: String? {
    var parts: [String] = []
    let count = pictures.values.reduce(0, +)
    if count > 0 {
      let kinds = pictures.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      let shown = kinds.prefix(6).map { "\($0.value) \($0.key)" }.joined(separator: ", ")
      parts.append(
        "\(count) file\(count == 1 ? "" : "s") neither PNG nor JPEG by their ending (\(shown)"
          + "\(kinds.count > 6 ? ", …" : ""))")
    }
    if nestedFolders > 0 {
      parts.append("\(nestedFolders) folder\(nestedFolders == 1 ? "" : "s") within classes")
    }
    if picturesBeside > 0 {
      parts.append("\(picturesBeside) picture\(picturesBeside == 1 ? "" : "s") beside the folders")
    }
    parts += others.prefix(8)
    if others.count > 8 { parts.append("\(others.count - 8) more beside the parts") }
    if hidden > 0 { parts.append("\(hidden) hidden") }
    return parts.isEmpty ? nil : "left out: " + parts.joined(separator: ", ")
  }
}
