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

extension Safetensors {
  /// The arrays of a file of NumPy's, by name: numbers become float32, whole numbers int32.
  ///
  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  package init(npz path: String) throws {
    self.init()
    let file = try NPZ(path)
    for name in file.arrayNames {
      let array = try file.array(name)
      let shape = Shape(array.shape)
      guard shape.isUsable else {
        unread[name] = "has the shape \(array.shape)"
        continue
      }
      if array.isFloating {
        tensors[name] = HostTensor(shape, array.floats())
      } else {
        let values = try array.integers { $0 }
        if let large = values.first(where: { Int32(exactly: $0) == nil }) {
          unread[name] = "holds \(large), which does not fit 32 bits"
          continue
        }
        tensors[name] = HostTensor(shape, values.map { Int32($0) })
      }
    }
  }
}
