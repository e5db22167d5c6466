import Foundation
import TernCore

/// A class for every pixel of a picture, to be written as a PNG file with a palette: seen, a colour
/// per class; read by ``SegmentationFolderDataset``, the classes.
package struct MaskPicture: Sendable {
  /// [H, W], row by row.
  package let classes: [UInt8]
  package let width: Int
  package let height: Int

  /// - Precondition: `classes` holds width · height numbers.
  package init(classes: [UInt8], width: Int, height: Int) {
    precondition(classes.count == width * height)
    (self.classes, self.width, self.height) = (classes, width, height)
  }

  /// The classes of a sample's pixels, 255 where one does not count; `nil` where the set has a class
  /// per sample, or the file cannot be read any more.
  package init?(of index: Int, in set: any Dataset) {
    guard set.targetShape.rank == 2, set.classCount <= 256 else { return nil }
    var targets = [Int32](repeating: 0, count: set.targetShape.elementCount)
    do {
      try targets.withUnsafeMutableBufferPointer { try set.copyTarget(index, to: $0.baseAddress!) }
    } catch { return nil }
    self.init(
      classes: targets.map { UInt8(exactly: $0) ?? 255 }, width: set.targetShape[1],
      height: set.targetShape[0])
  }

  /// The mask at another extent, each pixel the nearest one's class, as masks for training are made
  /// smaller.
  package func resized(width newWidth: Int, height newHeight: Int) -> MaskPicture {
    var result: [UInt8] = []
    result.reserveCapacity(newWidth * newHeight)
    for y in 0..<newHeight {
      let row = (2 * y + 1) * height / (2 * newHeight) * width
      for x in 0..<newWidth { result.append(classes[row + (2 * x + 1) * width / (2 * newWidth)]) }
    }
    return MaskPicture(classes: result, width: newWidth, height: newHeight)
  }

  /// The part of the pixels that each class has.
  package func shares(classCount: Int) -> [Double] {
    var counts = [Int](repeating: 0, count: classCount)
    for value in classes { counts[Int(value)] += 1 }
    return counts.map { Double($0) / Double(classes.count) }
  }

  /// As a PNG file with ``palette``.
  package var png: Data {
    PNGWriter.encoded(indices: classes, palette: Self.palette, width: width, height: height)
  }

  /// A colour per class, 0 black, unlike those of the classes near it: of a class number's bits each
  /// third one goes to red, green, blue, the lowest to the highest. Everingham et al., "The PASCAL
  /// visual object classes challenge", 2010.
  package static let palette: [SIMD3<UInt8>] = (0..<256).map { number in
    var color = SIMD3<UInt8>()
    for bit in 0..<8 {
      for channel in 0..<3 where number >> (3 * bit + channel) & 1 == 1 {
        color[channel] |= 0x80 >> UInt8(bit)
      }
    }
    return color
  }
}
