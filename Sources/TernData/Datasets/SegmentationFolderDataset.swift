import Foundation
import Synchronization
import TernCore

/// Pictures with a class for every pixel, in files that are decoded on demand.
///
/// ```
/// DIR/images/001.jpg  DIR/masks/001.png
/// ```
///
/// A mask is a PNG, grey or with a palette, of the extent of its picture; a pixel is the number of its
/// class, 255 does not count. Both are resized to a square, the mask to the nearest pixel.
public final class SegmentationFolderDataset: Dataset {
  public let classNames: [String]
  private let files: Files
  private let frame: PictureFrame

  /// The value of a mask's pixels that do not count, and the target they become.
  private static let ignoredPixel: UInt8 = 255
  static let ignoredTarget: Int32 = -100

  /// The files of a folder, looked through once.
  struct Files: Sendable {
    fileprivate let pictures: [String]
    fileprivate let masks: [String]
    /// The class of most pixels of each mask.
    fileprivate let commonest: [UInt8]
    let largestClass: UInt8
  }

  /// Whether a folder holds pictures and masks: folders of these names and no other with pictures, and
  /// at least one mask that is called as a picture. Else `images` and `masks` are classes.
  static func isFolder(_ directory: String) -> Bool {
    func files(_ folder: String) -> [String] {
      let files = (try? FolderListing("\(directory)/\(folder)"))?.files ?? []
      return files.filter(PictureFolder.isPicture)
    }
    guard let folders = (try? FolderListing(directory))?.folders,
      folders.contains("images"), folders.contains("masks"),
      !folders.contains(where: { $0 != "images" && $0 != "masks" && !files($0).isEmpty })
    else { return false }
    let pictures = Set(files("images").map { $0.pathStem })
    let masks = files("masks")
    return masks.isEmpty || pictures.isEmpty
      || masks.contains { pictures.contains($0.pathStem) }
  }

  /// - Parameters:
  ///   - size: the side of a sample [3, `size`, `size`].
  ///   - classNames: a name for every class of the masks.
  init(_ files: Files, size: Int, classNames: [String]) {
    self.files = files
    self.classNames = classNames
    frame = PictureFrame([3, size, size], view: .whole)
  }

  /// Finds the files and decodes every mask once.
  ///
  /// - Throws: ``TernError`` where a mask is missing, damaged, or of another extent than its picture.
  static func files(
    in directory: String, _ onError: ItemErrorPolicy = .stop, _ notes: inout [String]
  ) throws -> Files {
    var leftOut = LeftOut()
    var pictures = try PictureFolder.files(in: "\(directory)/images", &leftOut)
    if let text = leftOut.text { notes.append("\(directory)/images: \(text)") }
    var masks = pictures.map {
      let name = $0.pathStem
      return "\(directory)/masks/\(name).png"
    }
    if let twice = zip(masks, masks.dropFirst()).first(where: { $0 == $1 }) {
      throw TernError(.badData, "\(twice.0): the mask of two pictures")
    }
    if onError == .skip {
      let masksOfPictures = Dictionary(zip(pictures, masks)) { first, _ in first }
      let damaged = DamagedItems.find(pictures) { path in
        _ = try MaskClasses(mask: masksOfPictures[path]!, picture: path)
        _ = try Picture(contentsOf: path)
      }
      pictures = pictures.enumerated().filter { damaged.faults[$0.offset] == nil }.map(\.element)
      masks = masks.enumerated().filter { damaged.faults[$0.offset] == nil }.map(\.element)
      notes += damaged.notes
      guard !pictures.isEmpty else {
        throw TernError(.badData, "\(directory): no picture that can be read")
      }
    }
    let (checkedPictures, checkedMasks) = (pictures, masks)
    let results = Mutex([Result<MaskClasses, any Error>?](repeating: nil, count: pictures.count))
    BackgroundThread.concurrently(pictures.count, name: "tern-masks") { index in
      let result = Result {
        try MaskClasses(mask: checkedMasks[index], picture: checkedPictures[index])
      }
      results.withLock { $0[index] = result }
    }
    // In the order of the files, whichever came first.
    let classes = try results.withLock { try $0.map { try $0!.get() } }
    return Files(
      pictures: pictures, masks: masks, commonest: classes.map(\.commonest),
      largestClass: classes.compactMap(\.largest).max() ?? 0)
  }

  /// Which classes occur in a mask.
  private struct MaskClasses {
    /// The class of most pixels, the first of equals.
    let commonest: UInt8
    /// `nil` where no pixel counts.
    let largest: UInt8?

    init(mask path: String, picture picturePath: String) throws {
      let mask = try Picture(mask: path)
      let size = try Picture.size(try Picture.contents(of: picturePath), name: picturePath)
      guard size == (mask.width, mask.height) else {
        throw TernError(
          .badData,
          "\(path): \(mask.width)×\(mask.height) pixels where the picture has "
            + "\(size.width)×\(size.height)")
      }
      var counts = [Int](repeating: 0, count: 256)
      for i in 0..<mask.width * mask.height { counts[Int(mask.bytes[i])] += 1 }
      counts[Int(SegmentationFolderDataset.ignoredPixel)] = 0
      commonest = UInt8(counts.firstIndex(of: counts.max()!)!)
      largest = counts.lastIndex { $0 > 0 }.map { UInt8($0) }
    }
  }

  public var count: Int { files.pictures.count }
  public func traits(_ index: Int) -> [UInt8] {
    Self.traits(ofFile: files.pictures[index]) + Self.traits(ofFile: files.masks[index])
  }
  public var sampleShape: Shape { frame.sampleShape }
  public var targetType: TensorType { TensorType([sampleShape[1], sampleShape[2]], .int32) }
  public var statisticsCount: Int { min(count, ImageFolderDataset.statisticsLimit) }

  /// The class of most pixels.
  public func label(_ index: Int) -> Int32 { Int32(files.commonest[index]) }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    try frame.copy(file: files.pictures[index], to: destination, scale: scale)
  }

  public func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) throws {
    let destination = destination.assumingMemoryBound(to: Int32.self)
    let mask = try Picture(mask: files.masks[index])
    let size = sampleShape[1]
    for y in 0..<size {
      let row = mask.bytes + (2 * y + 1) * mask.height / (2 * size) * mask.width
      for x in 0..<size {
        let pixel = row[(2 * x + 1) * mask.width / (2 * size)]
        guard pixel < classNames.count || pixel == Self.ignoredPixel else {
          throw TernError(
            .badData, "\(files.masks[index]): class \(pixel) of \(classNames.count); it was changed"
          )
        }
        destination[y * size + x] = pixel == Self.ignoredPixel ? Self.ignoredTarget : Int32(pixel)
      }
    }
  }
}
