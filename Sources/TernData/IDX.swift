import Foundation
import TernCore

/// The file format of MNIST: a magic number with element type and number of axes, the extents as
/// big-endian 32-bit integers, and the elements.
public struct IDXFile: Sendable {
  public let extents: [Int]
  /// The elements, unsigned bytes.
  public let elements: [UInt8]

  /// Reads a file of unsigned bytes, gzipped or plain.
  ///
  /// - Throws: ``TernError`` naming the file and its fault.
  public init(contentsOf path: String, axes: Int) throws {
    let bytes = try GzipFile.contents(of: path)
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    guard bytes.count >= 4 else { throw fault("truncated: \(bytes.count) bytes") }
    guard bytes[0] == 0, bytes[1] == 0 else { throw fault("not an IDX file (wrong magic number)") }
    guard bytes[2] == 8 else {
      throw fault("IDX element type \(bytes[2]) where unsigned bytes (8) belong")
    }
    guard bytes[3] == axes else { throw fault("\(bytes[3]) axes where \(axes) belong") }
    let headerByteCount = 4 + 4 * axes
    guard bytes.count >= headerByteCount else { throw fault("truncated in its header") }
    extents = (0..<axes).map { axis in
      (0..<4).reduce(0) { $0 << 8 | Int(bytes[4 + 4 * axis + $1]) }
    }
    var count = 1
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, extent > 0 else { throw fault("extents \(extents)") }
      count = product
    }
    let available = bytes.count - headerByteCount
    guard available >= count else {
      throw fault("truncated: \(available) of \(count) elements")
    }
    guard available == count else { throw fault("\(available - count) bytes too many") }
    elements = Array(bytes[headerByteCount...])
  }
}

extension InMemoryDataset {
  /// Reads images [N, H, W] and labels [N].
  ///
  /// - Throws: ``TernError`` naming the file at fault.
  convenience init(images imagesPath: String, labels labelsPath: String, classNames: [String])
    throws
  {
    let images = try IDXFile(contentsOf: imagesPath, axes: 3)
    let labels = try IDXFile(contentsOf: labelsPath, axes: 1)
    guard images.extents[0] == labels.extents[0] else {
      throw TernError(
        .badData,
        "\(labelsPath): \(labels.extents[0]) labels for \(images.extents[0]) images in \(imagesPath)"
      )
    }
    if let index = labels.elements.firstIndex(where: { Int($0) >= classNames.count }) {
      throw TernError(
        .badData,
        "\(labelsPath): label \(labels.elements[index]) of sample \(index) is not in "
          + "0..<\(classNames.count)")
    }
    self.init(
      pixels: images.elements, labels: labels.elements,
      sampleShape: [1, images.extents[1], images.extents[2]], classNames: classNames)
  }
}
