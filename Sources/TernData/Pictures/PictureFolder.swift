import Foundation
import TernCore

/// The picture files of a folder.
package enum PictureFolder {
  private static let endings = [".png", ".jpg", ".jpeg"]

  /// Whether a file is a picture that can be read, by its name.
  static func isPicture(_ name: String) -> Bool {
    let lower = name.lowercased()
    return !name.hasPrefix(".") && endings.contains { lower.hasSuffix($0) }
  }

  /// PNG and JPEG files by their ending, in the order of their names; hidden ones, such as another
  /// system's notes on a picture, are passed over, and folders in it not looked into.
  ///
  /// - Parameter leftOut: counts what is passed over.
  /// - Throws: ``TernError`` where the folder is missing, or holds no pictures.
  static func files(in directory: String, _ leftOut: inout LeftOut) throws -> [String] {
    let listing = try FolderListing(directory)
    for file in listing.hidden { leftOut.add(file: file) }
    for folder in listing.folders { leftOut.add(folder: folder) }
    let pictures = listing.files.filter(isPicture)
    for file in listing.files where !isPicture(file) { leftOut.add(file: file) }
    guard !pictures.isEmpty else {
      throw TernError(
        .badData,
        "\(directory): no picture (\(endings.joined(separator: ", ")))"
          + (leftOut.text.map { "; \($0)" } ?? ""))
    }
    return pictures.map { "\(directory)/\($0)" }
  }

  /// The files that a path stands for: those of a folder, else the one it names.
  ///
  /// - Throws: ``TernError`` where a folder holds no pictures.
  package static func expanded(_ path: String) throws -> [String] {
    guard FileSystem.isFolder(path) else { return [path] }
    var leftOut = LeftOut()
    return try files(
      in: path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path, &leftOut)
  }
}
