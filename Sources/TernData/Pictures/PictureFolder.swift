import Foundation
import TernCore

/// The picture files of a folder.
public enum PictureFolder {
  private static let endings = [".png", ".jpg", ".jpeg"]

  /// PNG and JPEG files by their ending, in the order of their names; hidden ones, such as another
  /// system's notes on a picture, are passed over, and folders in it not looked into.
  ///
  /// - Throws: ``TernError`` where the folder is missing, or holds no pictures.
  public static func files(in directory: String) throws -> [String] {
    guard let names = FileSystem.names(in: directory) else {
      throw TernError(.notFound, "\(directory): no such folder, or not readable")
    }
    let pictures = names.filter { name in
      let lower = name.lowercased()
      return !name.hasPrefix(".") && endings.contains { lower.hasSuffix($0) }
    }
    guard !pictures.isEmpty else {
      throw TernError(
        .badData, "\(directory): no picture (\(endings.joined(separator: ", ")))")
    }
    return pictures.sorted().map { "\(directory)/\($0)" }
  }

  /// The files that a path stands for: those of a folder, else the one it names.
  ///
  /// - Throws: ``TernError`` where a folder holds no pictures.
  public static func expanded(_ path: String) throws -> [String] {
    guard FileSystem.isFolder(path) else { return [path] }
    return try files(in: path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
  }
}
