import Foundation
import TernCore

/// A data set as a user names it: a training and a test set.
public struct DataSource: Sendable {
  /// As the user named it.
  public let specification: String
  public let training: any Dataset
  public let test: any Dataset

  private static let digits = (0...9).map(String.init)
  private static let clothes = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
  ]

  /// The folders that hold a data set each, by its name: `$TERN_DATA`, then where Debian's
  /// packages put them.
  public static var standardRoots: [String] {
    [ProcessInfo.processInfo.environment["TERN_DATA"] ?? "", "/usr/share/datasets"]
      .filter { !$0.isEmpty }
  }

  /// Opens `fashion-mnist`, `mnist`, each optionally with `:DIR`, or `idx:DIR`.
  ///
  /// - Parameter roots: where a data set is searched that is named without a folder.
  /// - Throws: ``TernError`` where the name is unknown, or a file is missing or damaged.
  public static func open(_ specification: String, roots: [String] = standardRoots) throws
    -> DataSource
  {
    let colon = specification.firstIndex(of: ":")
    let name = String(specification[..<(colon ?? specification.endIndex)])
    let location = colon.map { String(specification[specification.index(after: $0)...]) }
    guard location != "", name != "idx" || location != nil else {
      throw TernError(.usage, "data: \(name) needs a folder, as in \(name):DIR")
    }
    switch name {
    case "fashion-mnist":
      let directory =
        try location ?? find(name, in: roots, hint: "apt-get install dataset-fashion-mnist")
      return try idx(specification, directory, clothes)
    case "mnist":
      let directory =
        try location ?? find(name, in: roots, hint: "put its four IDX files into $TERN_DATA/mnist")
      return try idx(specification, directory, digits)
    case "idx":
      return try idx(specification, location!, nil)
    default:
      throw TernError(
        .usage,
        "unknown data '\(specification)'; known are fashion-mnist, mnist (each also with :DIR) "
          + "and idx:DIR")
    }
  }

  private static func find(_ name: String, in roots: [String], hint: String) throws -> String {
    let candidates = roots.map { ($0 as NSString).appendingPathComponent(name) }
    guard let found = candidates.first(where: FileManager.default.fileExists) else {
      throw TernError(
        .notFound, "no \(name) data in \(candidates.joined(separator: " or ")); \(hint)")
    }
    return found
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
