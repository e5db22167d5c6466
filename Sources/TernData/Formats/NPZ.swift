import Foundation
import TernCore

/// Arrays in a file of NumPy's `savez` or `savez_compressed`.
///
/// An array's name says its part and what it holds: `x_train`, `y_train`; `x_val`, `y_val` (or
/// `valid`, `validation`, `dev`); `x_test`, `y_test`; also `train_images`, `train_labels` and the
/// like, in any case. `images` and `labels`, `x` and `y` are for training. Labels are whole numbers,
/// [N]; numbers to be predicted are [N] or [N, T]. Arrays may also be called by the inputs of the network:
/// `left_train`, `right_train`. Bytes [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3 are pictures; numbers of these
/// shapes are pictures taken as they are; [N, D] are vectors, bytes among them too.
enum NPZ {
  private enum Role: Hashable {
    case samples, labels
    /// A further input of the network.
    case input(Int)

    init?(named name: Substring, _ inputs: [Field], _ targets: [String]) {
      if let position = inputs.firstIndex(where: { $0.name.lowercased() == name }) {
        self = position == 0 ? .samples : .input(position)
        return
      }
      if targets.contains(where: { $0.lowercased() == name }) {
        self = .labels
        return
      }
      switch name {
      case "x", "image", "images", "data", "samples", "features": self = .samples
      case "y", "label", "labels", "target", "targets": self = .labels
      default: return nil
      }
    }
  }

  /// What an array is for; `nil` where its name does not say.
  private static func use(
    ofArray name: String, _ inputs: [Field], _ targets: [String]
  ) -> (part: DataPart, role: Role)? {
    let lower = name.lowercased()
    let words = lower.split(separator: "_")
    // Names of inputs may hold underscores themselves.
    if (inputs.map(\.name) + targets).contains(where: { $0.lowercased() == lower }) {
      return Role(named: lower[...], inputs, targets).map { (.training, $0) }
    }
    for (word, rest) in [
      (words.last ?? "", words.dropLast()), (words.first ?? "", words.dropFirst()),
    ] where rest.count > 1 {
      let name = rest.joined(separator: "_")
      if let part = DataPart(named: word), let role = Role(named: name[...], inputs, targets) {
        return (part, role)
      }
    }
    switch words.count {
    case 1:
      // Alone, other words are too common to mean this.
      guard ["x", "y", "images", "labels", "data"].contains(words[0]) else { return nil }
      return Role(named: words[0], inputs, targets).map { (.training, $0) }
    case 2:
      for (first, second) in [(words[0], words[1]), (words[1], words[0])] {
        if let part = DataPart(named: first), let role = Role(named: second, inputs, targets) {
          return (part, role)
        }
      }
      return nil
    default:
      return nil
    }
  }

  static func open(
    _ path: String, known: TrainedSamples? = nil, measures: Bool = false,
    selection: TargetSelection = TargetSelection(), inputs: [Field] = []
  ) throws -> DataParts {
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    let archive = try ZipArchive(contentsOf: path)
    var names: [DataPart: [Role: String]] = [:]
    var leftOut = LeftOut()
    let arrays = archive.members.compactMap { member in
      member.name.hasSuffix(".npy") ? String(member.name.dropLast(4)) : nil
    }
    for name in arrays {
      guard let (part, role) = use(ofArray: name, inputs, selection.columns) else {
        leftOut.add("array", name)
        continue
      }
      if let other = names[part, default: [:]].updateValue(name, forKey: role) {
        throw fault(
          "\(other) and \(name) are both \(role == .labels ? "targets" : "samples") of the "
            + "\(part) set")
      }
    }
    let expected =
      "expected arrays x_train and y_train, or images and labels; it holds "
      + archive.members.prefix(8).map(\.name).joined(separator: ", ")
    guard !names.isEmpty, known != nil || names[.training] != nil else { throw fault(expected) }
    for (part, roles) in names.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let needed: [(Role, String)] =
        [(.samples, inputs.count > 1 ? inputs[0].name : "samples"), (.labels, "labels")]
        + inputs.indices.dropFirst().map { (.input($0), inputs[$0].name) }
      if let missing = needed.first(where: { roles[$0.0] == nil }) {
        throw fault(
          "\(roles.values.sorted()[0]): the \(part) set has no \(missing.1)"
            + (part == .training && inputs.count <= 1 ? "; \(expected)" : ""))
      }
    }
    var samples: [(part: DataPart, Samples)] = []
    for part in DataPart.wanted(names.keys, measures: measures) {
      guard let roles = names[part], let x = roles[.samples], let y = roles[.labels] else {
        continue
      }
      let others = inputs.indices.dropFirst().map { (inputs[$0], array: roles[.input($0)]!) }
      samples.append(
        (part, try Samples(archive, x, y, others, sampleName: inputs.first?.name, selection, path)))
    }
    let shape = known?.shape ?? samples[0].1.shape
    if known == nil, let other = samples.first(where: { $0.1.shape != shape })?.1 {
      throw fault(
        "\(other.name): samples of \(other.shape) where \(samples[0].1.name) has \(shape)")
    }
    let classes =
      try known.map { ClassNames($0.classNames) }
      ?? (selection.kind == .classes
        ? ClassNames(wholeNumbers: samples.flatMap(\.1.labels), path: path)
        : ClassNames(samples[0].1.targetNames))
    guard
      selection.kind == .classes
        || samples.allSatisfy({ $0.1.targetNames.count == classes.names.count })
    else {
      throw fault(
        "the parts have \(samples.map { "\($0.1.targetNames.count)" }.joined(separator: ", ")) numbers to be "
          + "predicted")
    }
    var parts = DataParts()
    for (part, samples) in samples {
      parts[part] = .init(set: try samples.dataset(classes), origin: samples.name)
    }
    if let text = leftOut.text { parts.notes.append(text) }
    return parts
  }

  /// The labels that occur in the order in which they are first met, and which each sample has.
  private static func classes(of array: NPYArray) throws -> (indices: [Int32], labels: [Int]) {
    var (labels, numbers) = ([Int](), [Int: Int32]())
    let indices = try array.integers { label in
      if let number = numbers[label] { return number }
      let number = Int32(labels.count)
      numbers[label] = number
      labels.append(label)
      return number
    }
    return (indices, labels)
  }

  /// Numbers to be predicted, [N] or [N, T], and what they are called.
  private static func numbers(
    of array: NPYArray, _ selection: TargetSelection, _ name: String
  ) throws -> (names: [String], values: [Float]) {
    guard (1...2).contains(array.shape.count) else {
      throw TernError(.badData, "\(name): a shape of \(array.shape) where [N] or [N, T] belongs")
    }
    let count = array.shape.count == 1 ? 1 : array.shape[1]
    let values = array.floats()
    if let index = values.firstIndex(where: { !$0.isFinite }) {
      throw TernError(
        .badData, "\(name): sample \(index / count) holds a number that is not finite")
    }
    if selection.kind == .labels, let index = values.firstIndex(where: { $0 != 0 && $0 != 1 }) {
      throw TernError(
        .badData, "\(name): sample \(index / count): expected 0 or 1, got \(values[index])")
    }
    return (count == 1 ? ["target"] : (0..<count).map { "target \($0)" }, values)
  }

  /// The values of a further input, [N, …], of its type.
  private static func values(of field: Field, _ array: NPYArray, count: Int) throws -> HostTensor {
    let expected = [count] + field.type.shape.dimensions
    guard array.shape == expected else {
      throw TernError(
        .badData, "array '\(field.name)': a shape of \(array.shape) where \(expected) belongs")
    }
    let shape = Shape(expected)
    if field.type.dataType == .int32 {
      return HostTensor(shape, try array.integers { Int32(clamping: $0) })
    }
    return HostTensor(shape, array.floats())
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
    /// What numbers to be predicted are called; empty where there are classes.
    let targetNames: [String]
    private let numbers: [Float]
    private let sampleName: String?
    private let others: [(name: String, values: HostTensor)]

    init(
      _ archive: ZipArchive, _ x: String, _ y: String, _ others: [(Field, array: String)],
      sampleName: String?, _ selection: TargetSelection, _ path: String
    ) throws {
      func read(_ name: String) throws -> NPYArray {
        let member = archive.members.first { $0.name == "\(name).npy" }!
        return try NPYArray(archive.contents(of: member), name: "\(path): \(name)")
      }
      let array = try read(x)
      let extents = array.shape
      let labelArray = try read(y)
      self.sampleName = sampleName
      self.others = try others.map { field, name in
        (field.name, try NPZ.values(of: field, try read(name), count: extents.first ?? 0))
      }
      if selection.kind == .classes {
        guard !labelArray.isFloating else {
          throw TernError(
            .badData,
            "\(path): \(y): labels of type \(labelArray.type) where integers belong; numbers are "
              + "predicted by task regression")
        }
        (indices, labels) = try NPZ.classes(of: labelArray)
        (targetNames, numbers) = ([], [])
      } else {
        (indices, labels) = ([], [])
        (targetNames, numbers) = try NPZ.numbers(of: labelArray, selection, "\(path): \(y)")
      }
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
      guard labelArray.shape.first == extents[0],
        !targetNames.isEmpty || labelArray.shape.dropFirst().allSatisfy({ $0 == 1 })
      else {
        throw TernError(
          .badData,
          "\(path): \(y): labels of shape \(labelArray.shape) for \(extents[0]) samples in \(x)")
      }
      (name, labelName, self.array, self.path) = (x, y, array, path)
    }

    /// The samples with the network's other inputs.
    func dataset(_ classes: ClassNames) throws -> any Dataset {
      let set = try samplesAlone(classes)
      guard !others.isEmpty || sampleName ?? Field.samplesName != Field.samplesName else {
        return set
      }
      return NamedFields(set, sampleName: sampleName ?? Field.samplesName, others: others)
    }

    private func samplesAlone(_ classes: ClassNames) throws -> any Dataset {
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
      let isPicture =
        array.type == "u1" && shape.rank == 3 && classes.names.count <= 256 && targetNames.isEmpty
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
      guard targetNames.isEmpty else {
        return ValueDataset(
          values: values, numbers: self.numbers, sampleShape: shape, targetNames: classes.names)
      }
      return ValueDataset(
        values: values, labels: indices.map { numbers[Int($0)] }, sampleShape: shape,
        classNames: classes.names)
    }
  }
}
