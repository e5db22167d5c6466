import TernCore

/// Arrays in a file of NumPy's `savez` or `savez_compressed`.
struct NPZ: ArrayFile {
  let path: String
  private let archive: ZipArchive

  /// - Throws: ``TernError`` naming the file and its fault.
  init(_ path: String) throws {
    self.path = path
    archive = try ZipArchive(contentsOf: path)
  }

  var arrayNames: [String] {
    archive.members.compactMap { member in
      member.name.hasSuffix(".npy") ? String(member.name.dropLast(4)) : nil
    }
  }

  var contents: [String] { archive.members.map(\.name) }

  func array(_ name: String) throws -> NPYArray {
    let member = archive.members.first { $0.name == "\(name).npy" }!
    return try NPYArray(archive.contents(of: member), name: "\(path): \(name)")
  }
}
