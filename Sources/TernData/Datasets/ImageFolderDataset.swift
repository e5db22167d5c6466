import Foundation
import TernCore

/// Pictures in a folder per class, decoded on demand by the threads that prepare batches.
///
/// ```
/// DIR/cat/001.jpg  DIR/cat/002.png  DIR/dog/001.jpg
/// ```
///
/// A class is called as its folder; classes are numbered by name. Files are PNG or JPEG, by their
/// ending. A sample is the centre of the picture: shrunk so that its shorter side is 8/7 of the
/// size, and cut to a square.
public final class ImageFolderDataset: Dataset {
  public var sampleShape: Shape { frame.sampleShape }
  public let classNames: [String]
  private let paths: [String]
  private let labels: [Int32]
  private let frame: PictureFrame

  /// What of a picture a sample shows.
  static let view = PictureFrame.View.center(part: 7.0 / 8)
  /// Pictures decoded for statistics: means settle long before.
  static let statisticsLimit = 2048

  /// Samples are [3, `size`, `size`].
  public convenience init(directory: String, size: Int, classNames: [String]? = nil) throws {
    try self.init(
      directory: directory, frame: PictureFrame([3, size, size], view: Self.view),
      classNames: classNames)
  }

  /// - Parameters:
  ///   - frame: how pictures become samples.
  ///   - classNames: the classes, where another folder has decided them.
  /// - Throws: ``TernError`` where the folder is missing, or holds no pictures.
  init(directory: String, frame: PictureFrame, classNames: [String]?) throws {
    let found = try Self.folders(in: directory)
    let names = classNames ?? found
    guard names.count >= 2 else {
      throw TernError(
        .badData,
        "\(directory): \(names.count) folder\(names.count == 1 ? "" : "s"), at least 2 classes with a folder each belong here"
      )
    }
    if let stranger = found.first(where: { !names.contains($0) }) {
      throw TernError(
        .badData, "\(directory)/\(stranger): no such class in the training set")
    }
    var paths: [String] = []
    var labels: [Int32] = []
    for (label, name) in names.enumerated() where found.contains(name) {
      let folder = "\(directory)/\(name)"
      let files = try PictureFolder.files(in: folder)
      paths += files
      labels += [Int32](repeating: Int32(label), count: files.count)
    }
    self.paths = paths
    self.labels = labels
    self.classNames = names
    self.frame = frame
  }

  /// The folders in a folder, by name; hidden ones are passed over.
  static func folders(in directory: String) throws -> [String] {
    guard let entries = FileSystem.names(in: directory) else {
      throw TernError(.notFound, "\(directory): no such folder")
    }
    return entries.filter { !$0.hasPrefix(".") && FileSystem.isFolder("\(directory)/\($0)") }
      .sorted()
  }

  public var count: Int { paths.count }
  public var statisticsCount: Int { min(count, Self.statisticsLimit) }
  public func label(_ index: Int) -> Int32 { labels[index] }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    try frame.copy(file: paths[index], to: destination, scale: scale)
  }

  public func copyRegion(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale,
    choose: (Int, Int) -> PictureRegion
  ) throws {
    try frame.copyRegion(file: paths[index], to: destination, scale: scale, choose: choose)
  }
}
