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
    let file = try GzipReader(path)
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    extents = try Self.extents(file, path, axes: axes)
    let count = extents.reduce(1, *)
    guard count < SystemMemory.byteCount else {
      throw fault(
        "\(SystemMemory.text(count)) unpacked, more than the memory; gunzip it, and its pictures are "
          + "read on demand")
    }
    elements = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      let target = UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
      initializedCount = try file.read(into: target)
    }
    guard elements.count == count else {
      throw fault("truncated: \(elements.count) of \(count) elements")
    }
    var rest: [UInt8] = [0]
    let excess = try rest.withUnsafeMutableBytes { try file.read(into: $0) }
    guard excess == 0 else { throw fault("bytes follow its \(count) elements") }
  }

  /// The bytes before the elements.
  static func headerSize(axes: Int) -> Int { 4 + 4 * axes }

  /// Reads the header of a file of unsigned bytes, and checks that the file can hold what it claims.
  static func extents(_ file: GzipReader, _ path: String, axes: Int) throws -> [Int] {
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    var header = [UInt8](repeating: 0, count: headerSize(axes: axes))
    let headerByteCount = try header.withUnsafeMutableBytes { try file.read(into: $0) }
    guard headerByteCount >= 4 else { throw fault("truncated: \(headerByteCount) bytes") }
    guard header[0] == 0, header[1] == 0 else {
      throw fault("not an IDX file (wrong magic number)")
    }
    guard header[2] == 8 else {
      throw fault("IDX element type \(header[2]) where unsigned bytes (8) belong")
    }
    guard header[3] == axes else { throw fault("\(header[3]) axes where \(axes) belong") }
    guard headerByteCount == header.count else { throw fault("truncated in its header") }
    let extents = (0..<axes).map { axis in
      (0..<4).reduce(0) { $0 << 8 | Int(header[4 + 4 * axis + $1]) }
    }
    var count = 1
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, extent > 0 else { throw fault("the extents \(extents) make no sense") }
      count = product
    }
    // Before any memory is taken on the header's word.
    let limit = file.byteCountLimit - headerByteCount
    guard count <= limit else { throw fault("truncated: at most \(limit) of \(count) elements") }
    return extents
  }
}

/// Opening pictures [N, H, W] and labels [N].
enum IDX {
  /// Pictures of more bytes than this stay in their file, if that is not packed.
  private static let memoryLimit = 1 << 30

  /// - Throws: ``TernError`` naming the file at fault.
  static func open(
    images imagesPath: String, labels labelsPath: String, classNames: [String],
    memoryLimit: Int = memoryLimit
  ) throws -> any Dataset {
    let labels = try IDXFile(contentsOf: labelsPath, axes: 1)
    let file = try GzipReader(imagesPath)
    let extents = try IDXFile.extents(file, imagesPath, axes: 3)
    guard extents[0] == labels.extents[0] else {
      throw TernError(
        .badData,
        "\(labelsPath): \(labels.extents[0]) labels for \(extents[0]) images in \(imagesPath)")
    }
    if let index = labels.elements.firstIndex(where: { Int($0) >= classNames.count }) {
      throw TernError(
        .badData,
        "\(labelsPath): label \(labels.elements[index]) of sample \(index) is not in "
          + "0..<\(classNames.count)")
    }
    if !file.isPacked, extents.reduce(1, *) > memoryLimit {
      return try IDXFileDataset(
        imagesPath, extents, labels: labels.elements, classNames: classNames)
    }
    return InMemoryDataset(
      pixels: try IDXFile(contentsOf: imagesPath, axes: 3).elements, labels: labels.elements,
      sampleShape: [1, extents[1], extents[2]], classNames: classNames)
  }
}
