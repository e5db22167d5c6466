import Foundation
import Tern

/// Model files that a test writes, called `net.yaml` in errors.
enum ModelFixture {
  static func read(_ content: Data) throws -> Model {
    let path = NSTemporaryDirectory() + "tern-\(UUID().uuidString).yaml"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try content.write(to: URL(fileURLWithPath: path))
    do { return try ModelFile.read(path) } catch let error as TernError {
      throw TernError(error.kind, error.message.replacing(path, with: "net.yaml"))
    }
  }

  static func read(_ text: String) throws -> Model { try read(Data(text.utf8)) }

  /// A file with these layers, whose first stands on line 4.
  static func model(_ layers: String, header: String = "") throws -> Model {
    try read("input: [1, 8, 8]\nclasses: 3\nlayers:\n\(layers)\n\(header)")
  }
}
