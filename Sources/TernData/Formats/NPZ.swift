import Foundation
import TernCore

/// Arrays in a file of NumPy's `savez` or `savez_compressed`.
///
/// An array's name says its part and what it holds: `x_train`, `y_train`; `x_val`, `y_val` (or
/// `valid`, `validation`, `dev`); `x_test`, `y_test`; also `train_images`, `train_labels` and the
/// like, in any case. `images` and `labels`, `x` and `y` are for training. Labels are whole numbers,
/// [N]. Bytes [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3 are pictures; numbers of these
/// shapes are pictures taken as they are; [N, D] are vectors, bytes among them too.
enum NPZ {
  private enum Role {
    case samples, labels

    init?(named name: Substring) {
      switch name {
      case "x", "image", "images", "data", "samples", "features": self = .samples
      case "y", "label", "labels", "target", "targets": self = .labels
      default: return nil
      }
    }
  }

  /// What an array is for; `nil` where its name does not say.
  private static func use(ofArray name: String) -> (part: DataPart, role: Role)? {
    let words = name.lowercased().split(separator: "_")
    switch words.count {
    case 1:
      // Alone, other words are too common to mean this.
      guard ["x", "y", "images", "labels", "data"].contains(words[0]) else { return nil }
      return Role(named: words[0]).map { (.training, $0) }
    case 2:
      for (first, second) in [(words[0], words[1]), (words[1], words[0])] {
        if let part = DataPart(named: first), let role = Role(named: second) { return (part, role) }
      }
      return nil
    default:
      return nil
    }
  }

  static func open(_ path: String, known: TrainedSamples? = nil, measures: Bool = false) throws
    -> DataParts
  {
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    let archive = try ZipArchive(contentsOf: path)
    var names: [DataPart: [Role: String]] = [:]
    var leftOut = LeftOut()
    let arrays = archive.members.compactMap { member in
      member.name.hasSuffix(".npy") ? String(member.name.dropLast(4)) : nil
    }
    for name in arrays {
      guard let (part, role) = use(ofArray: name) else {
        leftOut.add("array", name)
        continue
      }
      if let other = names[part, default: [:]].updateValue(name, forKey: role) {
        throw fault(
          "\(other) and \(name) are both \(role == .labels ? "labels" : "samples") of the "
            + "\(part) set")
      }
    }
    let expected =
      "expected arrays x_train and y_train, or images and labels; it holds "
      + archive.members.prefix(8).map(\.name).joined(separator: ", ")
    guard !names.isEmpty, known != nil || names[.training] != nil else { throw fault(expected) }
    for (part, roles) in names.sorted(by: { $0.key.rawValue < $1.key.rawValue })
    where roles.count == 1 {
      let (role, name) = roles.first!
      let missing = role == .samples ? "labels" : "samples"
      throw fault(
        "\(name): the \(part) set has no \(missing)" + (part == .training ? "; \(expected)" : ""))
    }
    var samples: [(part: DataPart, Samples)] = []
    for part in DataPart.wanted(names.keys, measures: measures) {
      guard let roles = names[part], let x = roles[.samples], let y = roles[.labels] else {
        continue
      }
      samples.append((part, try Samples(archive, x, y, path)))
    }
    let shape = known?.shape ?? samples[0].1.shape
    if known == nil, let other = samples.first(where: { $0.1.shape != shape })?.1 {
      throw fault(
        "\(other.name): samples of \(other.shape) where \(samples[0].1.name) has \(shape)")
    }
    let classes =
      try known.map { ClassNames($0.classNames) }
      ?? ClassNames(wholeNumbers: samples.flatMap(\.1.labels), path: path)
    var parts = DataParts()
    for (part, samples) in samples {
      parts[part] = .init(set: try samples.dataset(classes), origin: samples.name)
    }
    if let text = leftOut.text { parts.notes.append(text) }
    return parts
  }

  /// An array of samples with its labels, checked.
  private struct Samples {
    let name: String
    /// The labels that occur.
    let labels: [Int]
    let shape: Shape
    /// Which of them each sample has.
    private let indices: [Int32]
    private let array: NPYArray
    /// The file's axes in the order [N, C, H, W].
    private let axes: [Int]
    private let path: String
    private let labelName: String

    init(_ archive: ZipArchive, _ x: String, _ y: String, _ path: String) throws {
      func read(_ name: String) throws -> NPYArray {
        let member = archive.members.first { $0.name == "\(name).npy" }!
        return try NPYArray(archive.contents(of: member), name: "\(path): \(name)")
      }
      let array = try read(x)
      let extents = array.shape
      let labelArray = try read(y)
      var (labels, numbers) = ([Int](), [Int: Int32]())
      indices = try labelArray.integers { label in
        if let number = numbers[label] { return number }
        let number = Int32(labels.count)
        numbers[label] = number
        labels.append(label)
        return number
      }
      self.labels = labels
      switch extents.count {
      case 2: (shape, axes) = ([extents[1]], [0, 1])
      case 3: (shape, axes) = ([1, extents[1], extents[2]], [0, 1, 2])
      case 4 where extents[3] == 1 || extents[3] == 3:
        (shape, axes) = ([extents[3], extents[1], extents[2]], [0, 3, 1, 2])
      case 4 where extents[1] == 1 || extents[1] == 3:
        (shape, axes) = ([extents[1], extents[2], extents[3]], [0, 1, 2, 3])
      default:
        throw TernError(
          .badData,
          "\(path): \(x): a shape of \(extents) where [N, D], [N, H, W], [N, H, W, C] or "
            + "[N, C, H, W] belongs, with C of 1 or 3")
      }
      guard indices.count == extents[0], labelArray.shape.dropFirst().allSatisfy({ $0 == 1 }) else {
        throw TernError(
          .badData,
          "\(path): \(y): labels of shape \(labelArray.shape) for \(extents[0]) samples in \(x)")
      }
      (name, labelName, self.array, self.path) = (x, y, array, path)
    }

    func dataset(_ classes: ClassNames) throws -> any Dataset {
      let numbers = try labels.enumerated().map { index, label in
        guard let number = classes.number(of: label) else {
          let sample = indices.firstIndex(of: Int32(index))!
          throw TernError(
            .badData,
            "\(path): \(labelName): label \(label) of sample \(sample) is not in the training set"
              + classes.hint)
        }
        return number
      }
      let isPicture = array.type == "u1" && shape.rank == 3 && classes.names.count <= 256
      try SystemMemory.require(
        array.elementCount * (isPicture ? 1 : 4), for: "\(path): \(name)")
      if isPicture {
        return InMemoryDataset(
          pixels: array.bytes(axes: axes), labels: indices.map { UInt8(numbers[Int($0)]) },
          sampleShape: shape, classNames: classes.names)
      }
      // Bytes are parts of 255, whatever their arrangement.
      let values = array.floats(axes: axes, divisor: array.type == "u1" ? 255 : 1)
      if array.isFloating, let index = values.firstIndex(where: { !$0.isFinite }) {
        throw TernError(
          .badData,
          "\(path): \(name): sample \(index / shape.elementCount) holds a number that is not finite"
        )
      }
      return ValueDataset(
        values: values, labels: indices.map { numbers[Int($0)] }, sampleShape: shape,
        classNames: classes.names)
    }
  }
}
