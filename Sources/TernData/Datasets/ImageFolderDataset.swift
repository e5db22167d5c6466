import Foundation
import TernCore

/// Pictures in a folder per class, decoded on demand by the threads that prepare batches.
///
/// ```
/// DIR/cat/001.jpg  DIR/cat/002.png  DIR/dog/001.jpg
/// ```
///
/// A class is called as its folder; classes are numbered by name. Files are PNG or JPEG, by their
/// ending. What of a picture a sample shows is told at ``PictureFrame``.
public final class ImageFolderDataset: Dataset {
  public var sampleShape: Shape { frame.sampleShape }
  public let classNames: [String]
  private let paths: [String]
  private let labels: [Int32]
  private let frame: PictureFrame

  /// Pictures decoded for statistics: means settle long before.
  static let statisticsLimit = 2048

  /// Files with their classes.
  struct Files {
    let classNames: [String]
    private(set) var paths: [String] = []
    private(set) var labels: [Int32] = []

    init(classNames: [String]) { self.classNames = classNames }

    /// Adds the pictures of a folder, and counts what else is in it.
    ///
    /// - Throws: ``TernError`` where there are none.
    mutating func add(folder: String, class number: Int32, _ leftOut: inout LeftOut) throws {
      let files = try PictureFolder.files(in: folder, &leftOut)
      paths += files
      labels += [Int32](repeating: number, count: files.count)
    }

    /// Adds a picture.
    mutating func add(_ path: String, class number: Int32) {
      paths.append(path)
      labels.append(number)
    }

    /// Decodes every picture once, and drops those that cannot be read.
    ///
    /// - Returns: what is to be said of them.
    mutating func dropDamaged() -> [String] {
      let damaged = DamagedItems.find(paths) { path in _ = try Picture(contentsOf: path) }
      paths = paths.enumerated().filter { damaged.faults[$0.offset] == nil }.map(\.element)
      labels = labels.enumerated().filter { damaged.faults[$0.offset] == nil }.map(\.element)
      return damaged.notes
    }
  }

  /// - Parameter frame: how pictures become samples.
  init(_ files: Files, frame: PictureFrame) {
    (classNames, paths, labels) = (files.classNames, files.paths, files.labels)
    self.frame = frame
  }

  public var count: Int { paths.count }
  public var statisticsCount: Int { min(count, Self.statisticsLimit) }
  public func label(_ index: Int) -> Int32 { labels[index] }
  public func traits(_ index: Int) -> [UInt8] { Self.traits(ofFile: paths[index]) }

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
