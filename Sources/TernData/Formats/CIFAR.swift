import Foundation
import TernCore

/// The binary version of CIFAR-10 and CIFAR-100.
///
/// A record is its label — for CIFAR-100 first the coarse, then the fine one, which is used — and
/// 3072 bytes, [3, 32, 32]. Files of CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin` and
/// `test_batch.bin`; of CIFAR-100: `train.bin`, `test.bin` and, for the names, `fine_label_names.txt`.
/// The folder may also be the one that the archive unpacks into.
///
/// Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
enum CIFAR {
  private static let shape: Shape = [3, 32, 32]
  private static let classes10 = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  /// - Parameter classCount: 10 or 100.
  static func open(_ directory: String, classCount: Int, known: TrainedSamples?) throws -> DataParts
  {
    let inner = "\(directory)/cifar-\(classCount)-b\(classCount == 10 ? "atches-bin" : "inary")"
    let folder = FileSystem.exists(inner) ? inner : directory
    guard FileSystem.exists(folder) else {
      throw TernError(.notFound, "\(directory): no such folder")
    }
    let trainingFiles =
      classCount == 10 ? (1...5).map { "data_batch_\($0).bin" } : ["train.bin"]
    // What unpacks from Python's version of the archive.
    for name in ["data_batch_1", "train", "cifar-\(classCount)-batches-py", "cifar-100-python"]
    where !FileSystem.exists("\(folder)/\(trainingFiles[0])")
      && FileSystem.exists("\(folder)/\(name)")
    {
      throw TernError(
        .notFound,
        "\(folder)/\(trainingFiles[0]): no such file; \(name) is of the version for Python, get "
          + "cifar-\(classCount)-binary.tar.gz")
    }
    let names = classCount == 10 ? classes10 : try fineNames(folder)
    let classes = ClassNames(known?.classNames ?? names)
    if let stranger = names.first(where: { classes.number(of: $0) == nil }) {
      throw TernError(
        .badData, "\(directory): '\(stranger)' is no class of the training set\(classes.hint)")
    }
    let numbers = names.map { UInt8(clamping: classes.number(of: $0)!) }
    func load(_ files: [String]) throws -> DataParts.Part {
      let set = try read(
        files.map { "\(folder)/\($0)" }, labelCount: classCount == 10 ? 1 : 2, numbers,
        classes.names)
      return .init(
        set: set, origin: files.count == 1 ? files[0] : "\(files.first!) to \(files.last!)")
    }
    var parts = DataParts()
    parts.training = try load(trainingFiles)
    parts.test = try load([classCount == 10 ? "test_batch.bin" : "test.bin"])
    return parts
  }

  private static func fineNames(_ folder: String) throws -> [String] {
    let path = "\(folder)/fine_label_names.txt"
    guard FileSystem.exists(path) else { return (0..<100).map(String.init) }
    let text = try String(decoding: InputFile.contents(of: path, limit: 1 << 16), as: UTF8.self)
    let names = text.split(whereSeparator: \.isNewline).map(String.init)
    guard names.count == 100 else {
      throw TernError(.badData, "\(path): \(names.count) names where 100 belong")
    }
    return names
  }

  /// - Parameters:
  ///   - labelCount: labels before the pixels of a record; the last one is used.
  ///   - numbers: the class of each label.
  private static func read(
    _ paths: [String], labelCount: Int, _ numbers: [UInt8], _ names: [String]
  ) throws -> InMemoryDataset {
    let recordSize = labelCount + shape.elementCount
    var pixels: [UInt8] = []
    var labels: [UInt8] = []
    for path in paths {
      let data = try InputFile.contents(of: path)
      guard !data.isEmpty, data.count.isMultiple(of: recordSize) else {
        throw TernError(
          .badData,
          "\(path): \(data.count) bytes are not a whole number of records of \(recordSize)")
      }
      pixels.reserveCapacity(data.count * paths.count)
      try data.withUnsafeBytes { bytes in
        for start in stride(from: 0, to: bytes.count, by: recordSize) {
          let label = bytes[start + labelCount - 1]
          guard Int(label) < numbers.count else {
            throw TernError(
              .badData,
              "\(path): label \(label) of record \(start / recordSize) is not in 0..<\(numbers.count)"
            )
          }
          labels.append(numbers[Int(label)])
          pixels += bytes[start + labelCount..<start + recordSize]
        }
      }
    }
    return InMemoryDataset(
      pixels: pixels, labels: labels, sampleShape: shape, classNames: names)
  }
}
