import Foundation
import Tern

extension Workspace {
  /// A coloured picture, plain but for some noise, of a brightness.
  static func picture(_ brightness: Int, _ index: Int = 0, size: Int = 10) -> Data {
    PNGWriter.encoded(
      (0..<3 * size * size).map {
        UInt8(truncatingIfNeeded: brightness + ($0 * 31 + index * 57) % 30)
      },
      width: size, height: size, channels: 3)
  }

  /// Writes `count` pictures into a folder whose name may be any bytes, see ``FileName``.
  func writePictures(_ folder: String, _ brightness: Int, count: Int = 6) throws {
    guard FileSystem.createFolder(file(folder)) else { throw CocoaError(.fileWriteUnknown) }
    for index in 0..<count {
      try AtomicFile.write(Self.picture(brightness, index), to: file("\(folder)/\(index).png"))
    }
  }
}
