import TernCore

/// Grey pictures that stay in their file, which may be larger than memory: each is read when it is
/// asked for. What of the file fits, the system keeps in its cache.
final class IDXFileDataset: Dataset {
  let sampleShape: Shape
  let classNames: [String]
  private let path: String
  private let file: OpenFile
  private let labels: [UInt8]

  /// Bytes read at once, at most.
  private static let pieceSize = 1 << 16
  private static let headerSize = IDXFile.headerSize(axes: 3)

  /// - Parameters:
  ///   - path: a plain file of pictures [N, H, W].
  ///   - extents: what its header says.
  /// - Throws: ``TernError`` where the file has more or fewer bytes.
  init(_ path: String, _ extents: [Int], labels: [UInt8], classNames: [String]) throws {
    self.path = path
    self.labels = labels
    self.classNames = classNames
    sampleShape = [1, extents[1], extents[2]]
    file = try OpenFile(path)
    let size = Self.headerSize + extents.reduce(1, *)
    guard file.byteCount == size else {
      throw TernError(.badData, "\(path): \(file.byteCount) bytes where \(size) belong")
    }
  }

  var count: Int { labels.count }
  var hasByteSamples: Bool { true }
  /// Each has to be read from the disk.
  var statisticsCount: Int { min(count, ImageFolderDataset.statisticsLimit) }
  func label(_ index: Int) -> Int32 { Int32(labels[index]) }

  func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) throws {
    let size = sampleShape.elementCount
    let place = Self.headerSize + index * size
    try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.pieceSize) { buffer in
      for start in stride(from: 0, to: size, by: Self.pieceSize) {
        let piece = UnsafeMutableBufferPointer(
          rebasing: buffer[..<min(Self.pieceSize, size - start)])
        let count = try file.read(into: UnsafeMutableRawBufferPointer(piece), at: place + start)
        guard count == piece.count else {
          throw TernError(
            .badData, "\(path): truncated before the end of sample \(index); it was changed")
        }
        for i in 0..<count { destination[start + i] = scale.table[Int(piece[i])] }
      }
    }
  }
}
