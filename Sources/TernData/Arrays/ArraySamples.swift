import Foundation
import TernCore

/// An array of samples with its labels, checked.
///
/// Bytes [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3 are pictures; numbers of these shapes are
/// pictures taken as they are; [N, D] are vectors, bytes among them too. Caffe's are [N, C, H, W] with any C. Pictures
/// of three colours have red first, or are turned where their order is said to be another.
struct ArraySamples {
  typealias Place = (file: any ArrayFile, name: String)

  let name: String
  /// Where it is from, as people know it.
  let origin: String
  /// The labels that occur.
  let labels: [Int]
  let shape: Shape
  /// What numbers to be predicted are called; empty where there are classes.
  let targetNames: [String]
  /// Which of the labels each sample has.
  private let indices: [Int32]
  private let array: NPYArray
  /// The file's axes in the order [N, C, H, W].
  private let axes: [Int]
  private let path: String
  private let labelSubject: String
  private let numbers: [Float]
  private let sampleName: String?
  private let isBlueFirst: Bool
  private let others: [(name: String, values: HostTensor)]

  init(
    _ x: Place, _ y: Place, _ others: [(Field, place: Place)], sampleName: String?,
    _ selection: TargetSelection, _ channelOrder: PictureOptions.ChannelOrder, isCaffes: Bool
  ) throws {
    isBlueFirst = channelOrder == .bgr
    let array = try x.file.array(x.name)
    let extents = array.shape
    let labelArray = try y.file.array(y.name)
    let labelSubject = "\(y.file.path): \(y.name)"
    self.sampleName = sampleName
    self.others = try others.map { field, place in
      (
        field.name,
        try Self.values(
          of: field, try place.file.array(place.name), count: extents.first ?? 0)
      )
    }
    if selection.kind == .classes {
      guard isCaffes || !labelArray.isFloating else {
        throw TernError(
          .badData,
          "\(labelSubject): labels of type \(labelArray.type) where integers belong; numbers are "
            + "predicted by task regression")
      }
      (indices, labels) = try Self.classes(of: labelArray, labelSubject)
      (targetNames, numbers) = ([], [])
    } else {
      (indices, labels) = ([], [])
      (targetNames, numbers) = try Self.numbers(
        of: labelArray, selection, labelSubject, isCaffes: isCaffes)
    }
    guard let (shape, axes) = Self.arrangement(extents, channelsFirst: isCaffes) else {
      throw TernError(
        .badData,
        "\(x.file.path): \(x.name): a shape of \(extents) where "
          + (isCaffes
            ? "[N, D], [N, H, W] or [N, C, H, W] belongs"
            : "[N, D], [N, H, W], [N, H, W, C] or [N, C, H, W] belongs, with C of 1 or 3"))
    }
    (self.shape, self.axes) = (shape, axes)
    guard labelArray.shape.first == extents[0],
      !targetNames.isEmpty || labelArray.shape.dropFirst().allSatisfy({ $0 == 1 })
    else {
      throw TernError(
        .badData,
        "\(labelSubject): labels of shape \(labelArray.shape) for \(extents[0]) samples in \(x.name)"
      )
    }
    (name, self.labelSubject, self.array, path) = (x.name, labelSubject, array, x.file.path)
    origin = isCaffes ? "\(x.file.path.lastPathPart): \(x.name)" : x.name
  }

  /// One sample's shape, and the axes of an array in the order [N, C, H, W].
  private static func arrangement(
    _ extents: [Int], channelsFirst: Bool
  ) -> (shape: Shape, axes: [Int])? {
    switch extents.count {
    case 2: return ([extents[1]], [0, 1])
    case 3: return ([1, extents[1], extents[2]], [0, 1, 2])
    case 4:
      let (isFirst, isLast) = ([1, 3].contains(extents[1]), [1, 3].contains(extents[3]))
      if isLast, !(channelsFirst && isFirst) {
        return ([extents[3], extents[1], extents[2]], [0, 3, 1, 2])
      }
      guard isFirst || channelsFirst else { return nil }
      return ([extents[1], extents[2], extents[3]], [0, 1, 2, 3])
    default: return nil
    }
  }

  /// The labels that occur in the order in which they are first met, and which each sample has.
  private static func classes(
    of array: NPYArray, _ name: String
  ) throws -> (indices: [Int32], labels: [Int]) {
    var (labels, numbers) = ([Int](), [Int: Int32]())
    func index(_ label: Int) -> Int32 {
      if let number = numbers[label] { return number }
      let number = Int32(labels.count)
      numbers[label] = number
      labels.append(label)
      return number
    }
    guard array.isFloating else {
      let indices = try array.integers(index)
      return (indices, labels)
    }
    let indices = try array.floats().enumerated().map { sample, value in
      guard let label = Int(exactly: value) else {
        throw TernError(
          .badData,
          "\(name): sample \(sample): the label \(value) where a whole number belongs; numbers are "
            + "predicted by task regression")
      }
      return index(label)
    }
    return (indices, labels)
  }

  /// Numbers to be predicted, [N] or [N, T], and what they are called. Caffe's may be of any shape.
  private static func numbers(
    of array: NPYArray, _ selection: TargetSelection, _ name: String, isCaffes: Bool
  ) throws -> (names: [String], values: [Float]) {
    guard !array.shape.isEmpty, isCaffes || array.shape.dropFirst(2).allSatisfy({ $0 == 1 })
    else {
      throw TernError(.badData, "\(name): a shape of \(array.shape) where [N] or [N, T] belongs")
    }
    let count = array.shape.dropFirst().reduce(1, *)
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
    // A number for each sample may be a row, and a row a plane.
    guard array.shape.first == count, array.elementCount == expected.reduce(1, *) else {
      throw TernError(
        .badData, "array '\(field.name)': a shape of \(array.shape) where \(expected) belongs")
    }
    let shape = Shape(expected)
    if field.type.dataType == .int32 {
      return HostTensor(shape, try array.integers { Int32(clamping: $0) })
    }
    return HostTensor(shape, array.floats())
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
          "\(labelSubject): label \(label) of sample \(sample) is not in the training set"
            + classes.hint)
      }
      return number
    }
    let isPicture =
      array.type == "u1" && shape.rank == 3 && classes.names.count <= 256 && targetNames.isEmpty
    try SystemMemory.require(array.elementCount * (isPicture ? 1 : 4), for: "\(path): \(name)")
    if isPicture {
      return InMemoryDataset(
        pixels: turned(array.bytes(axes: axes)), labels: indices.map { UInt8(numbers[Int($0)]) },
        sampleShape: shape, classNames: classes.names)
    }
    // Bytes are parts of 255, whatever their arrangement.
    let values = turned(array.floats(axes: axes, divisor: array.type == "u1" ? 255 : 1))
    if array.isFloating, let index = values.firstIndex(where: { !$0.isFinite }) {
      throw TernError(
        .badData,
        "\(path): \(name): sample \(index / shape.elementCount) holds a number that is not finite")
    }
    guard targetNames.isEmpty else {
      return ValueDataset(
        values: values, numbers: self.numbers, sampleShape: shape, targetNames: classes.names)
    }
    return ValueDataset(
      values: values, labels: indices.map { numbers[Int($0)] }, sampleShape: shape,
      classNames: classes.names)
  }

  /// Samples [C, H, W] with red first.
  private func turned<Value>(_ values: [Value]) -> [Value] {
    guard isBlueFirst, shape.rank == 3, shape[0] == 3 else { return values }
    var result = values
    let plane = shape[1] * shape[2]
    for start in stride(from: 0, to: result.count, by: 3 * plane) {
      for pixel in start..<start + plane { result.swapAt(pixel, pixel + 2 * plane) }
    }
    return result
  }
}
