import Foundation
import TernCore

/// A data set as a user names it: a training and a test set.
public struct DataSource: Sendable {
  /// As the user named it.
  public let specification: String
  public let training: InMemoryDataset
  public let test: InMemoryDataset

  private static let digits = (0...9).map(String.init)
  private static let clothes = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
  ]

  /// Opens `fashion-mnist`, `mnist`, each optionally with `:DIR`, or `idx:DIR`.
  ///
  /// Without a folder, `$TERN_DATA/NAME` and `/usr/share/datasets/NAME` are searched.
  /// - Throws: ``TernError`` where the name is unknown, or a file is missing or damaged.
  public static func open(_ specification: String) throws -> DataSource {
    let parts = specification.split(separator: ":", maxSplits: 1).map(String.init)
    let (name, location) = (parts.first ?? "", parts.count > 1 ? parts[1] : nil)
    switch name {
    case "fashion-mnist":
      let directory = try location ?? find(name, hint: "apt-get install dataset-fashion-mnist")
      return try idx(specification, directory, clothes)
    case "mnist":
      let directory =
        try location ?? find(name, hint: "put its four IDX files into $TERN_DATA/mnist")
      return try idx(specification, directory, digits)
    case "idx":
      guard let location else {
        throw TernError(.usage, "data: idx needs a folder, as in idx:DIR")
      }
      return try idx(specification, location, nil)
    default:
      throw TernError(
        .usage, "unknown data '\(specification)'; known are fashion-mnist, mnist and idx:DIR")
    }
  }

  private static func find(_ name: String, hint: String) throws -> String {
    var candidates = ["/usr/share/datasets/\(name)"]
    if let root = ProcessInfo.processInfo.environment["TERN_DATA"], !root.isEmpty {
      candidates.insert("\(root)/\(name)", at: 0)
    }
    for candidate in candidates where FileManager.default.fileExists(atPath: candidate) {
      return candidate
    }
    throw TernError(
      .notFound, "no \(name) data in \(candidates.joined(separator: " or ")); \(hint)")
  }

  private static func idx(
    _ specification: String, _ directory: String, _ classNames: [String]?
  ) throws -> DataSource {
    guard FileManager.default.fileExists(atPath: directory) else {
      throw TernError(.notFound, "\(directory): no such folder")
    }
    func path(_ set: String, _ kind: String, axes: Int) throws -> String {
      // The separator differs among the copies that are about.
      let names = ["-", "."].flatMap { separator in
        ["", ".gz"].map { "\(set)-\(kind)\(separator)idx\(axes)-ubyte\($0)" }
      }
      let paths = names.map { (directory as NSString).appendingPathComponent($0) }
      guard let found = paths.first(where: FileManager.default.fileExists) else {
        throw TernError(.notFound, "\(paths[0]): no such file (nor with .gz)")
      }
      return found
    }
    let paths = try ["train", "t10k"].map {
      (images: try path($0, "images", axes: 3), labels: try path($0, "labels", axes: 1))
    }
    let names = try classNames ?? numberedClasses(paths.map(\.labels))
    let sets = try paths.map {
      try InMemoryDataset(images: $0.images, labels: $0.labels, classNames: names)
    }
    guard sets[0].sampleShape == sets[1].sampleShape else {
      throw TernError(
        .badData,
        "\(paths[1].images): images of \(sets[1].sampleShape) where the training set has "
          + "\(sets[0].sampleShape)")
    }
    return DataSource(specification: specification, training: sets[0], test: sets[1])
  }

  /// As many classes as the largest label asks for, at least two.
  private static func numberedClasses(_ labelPaths: [String]) throws -> [String] {
    let largest = try labelPaths.map { try IDXFile(contentsOf: $0, axes: 1).elements.max()! }.max()!
    return (0...max(Int(largest), 1)).map(String.init)
  }
}
