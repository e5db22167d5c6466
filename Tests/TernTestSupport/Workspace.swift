import Foundation

/// A folder that is gone after the test.
package struct Workspace {
  package let path: String

  package init() throws {
    path = NSTemporaryDirectory() + "tern-cli-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  package func remove() { try? FileManager.default.removeItem(atPath: path) }

  package func file(_ name: String) -> String { path + "/" + name }

  package func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
  }

  package func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: file(name)) }

  /// A small data set in IDX files: bright squares whose place tells the class.
  package func writeDataset(_ name: String = "data", train: Int = 300, test: Int = 60) throws {
    try FileManager.default.createDirectory(
      atPath: file(name), withIntermediateDirectories: true)
    func header(_ extents: [Int]) -> [UInt8] {
      [0, 0, 8, UInt8(extents.count)]
        + extents.flatMap { extent in
          (0..<4).map { UInt8(truncatingIfNeeded: extent >> (24 - 8 * $0)) }
        }
    }
    for (set, count) in [("train", train), ("t10k", test)] {
      var pixels = [UInt8](repeating: 0, count: count * 784)
      for i in 0..<count {
        let (row, column) = (2 + (i % 10) / 5 * 12, 1 + (i % 5) * 5)
        for y in 0..<8 {
          for x in 0..<5 {
            pixels[i * 784 + (row + y) * 28 + column + x] = UInt8(150 + (i * 31 + x * y * 7) % 100)
          }
        }
      }
      try Data(header([count, 28, 28]) + pixels).write(
        to: URL(fileURLWithPath: file("\(name)/\(set)-images-idx3-ubyte")))
      try Data(header([count]) + (0..<count).map { UInt8($0 % 10) }).write(
        to: URL(fileURLWithPath: file("\(name)/\(set)-labels-idx1-ubyte")))
    }
  }
}
