import Foundation
import TernCore

/// Data in HDF5 files: a file, or a list of files as Caffe's `HDF5Data` layers name it, and with a comma another
/// one for testing.
///
/// The files of a list are one set, one behind the other. All of it is read into memory.
package enum HDF5Sets {
  /// The parts of data at a location: `FILE`, `LIST`, or two of them with a comma between.
  static func files(_ location: String) throws -> [(file: any ArrayFile, part: DataPart?)] {
    guard let paths = DataSource.tables(location), !paths.contains("") else {
      throw TernError(.usage, "data: expected hdf5:FILE or hdf5:TRAIN,TEST, got 'hdf5:\(location)'")
    }
    for path in paths where !FileSystem.exists(path) {
      throw TernError(.notFound, "no file '\(path)'")
    }
    let files = try paths.map(file)
    return files.count == 1
      ? [(files[0], nil)] : [(files[0], .training), (files[1], .test)]
  }

  /// The extents of a data set at a location, without those of the batch, and whether its elements are bytes.
  ///
  /// - Throws: ``TernError`` where it is not there, or damaged.
  package static func sample(
    _ name: String, at path: String
  ) throws -> (shape: [Int], isBytes: Bool) {
    let list = try file(path)
    guard list.arrayNames.contains(name) else {
      throw TernError(
        .badData,
        "\(path): no data set '\(name)'; it holds \(list.contents.prefix(8).joined(separator: ", "))"
      )
    }
    let (shape, type) = try list.first.type(of: name)
    return (Array(shape.dropFirst()), type == "u1")
  }

  private static func file(_ path: String) throws -> HDF5List {
    try HDF5File.isHDF5(path) ? HDF5List([HDF5File(path)], path) : HDF5List(list: path)
  }
}

/// HDF5 files whose data sets are one, one behind the other.
private struct HDF5List: ArrayFile {
  let path: String
  private let files: [HDF5File]

  private static let sizeLimit = 1 << 24
  private static let countLimit = 1 << 16

  init(_ files: [HDF5File], _ path: String) { (self.files, self.path) = (files, path) }

  /// Reads a list: a file on each line, named from where a program is started, or from where the list lies.
  init(list path: String) throws {
    let lines = try TextLines(path, limit: Self.sizeLimit).lines
    // What begins as an HDF5 file does, and ends there, is no list.
    let isCutOff = FileSystem.contents(of: path, upToCount: 1)?.first == 0x89
    guard !lines.isEmpty, !isCutOff, lines.count <= Self.countLimit else {
      throw TernError(
        .badData,
        "\(path): neither an HDF5 file nor a list of up to \(Self.countLimit) of them")
    }
    files = try lines.map { number, name in
      guard let file = TextLines.located([name, path.parentPath.appendingPath(name)]) else {
        throw TernError(.notFound, "\(path):\(number): no file '\(name)'")
      }
      guard try HDF5File.isHDF5(file) else {
        throw TernError(.badData, "\(path):\(number): '\(name)' is no HDF5 file")
      }
      return try HDF5File(file)
    }
    self.path = path
  }

  var first: HDF5File { files[0] }
  var arrayNames: [String] { first.arrayNames }
  var contents: [String] { first.contents }

  func array(_ name: String) throws -> NPYArray {
    guard files.count > 1 else { return try first.array(name) }
    let (extents, type) = try first.type(of: name)
    let size = extents.dropFirst().reduce(Int(type.dropFirst())!, *)
    var counts: [Int] = []
    for file in files {
      guard file.arrayNames.contains(name) else {
        throw TernError(.badData, "\(file.path): no data set '\(name)', which \(first.path) has")
      }
      let own = try file.type(of: name)
      guard own.shape.dropFirst() == extents.dropFirst(), own.type == type, !own.shape.isEmpty
      else {
        throw TernError(
          .badData,
          "\(file.path): \(name): \(own.type)\(own.shape) where \(first.path) has \(type)\(extents)"
        )
      }
      counts.append(own.shape[0])
    }
    var total = size
    let (sum, isTooMuch) = counts.reduce((0, false)) { sum, count in
      let (next, overflow) = sum.0.addingReportingOverflow(count)
      return (next, sum.1 || overflow)
    }
    let (bytes, overflow) = total.multipliedReportingOverflow(by: sum)
    guard !overflow, !isTooMuch else { throw TernError(.badData, "\(path): \(name): too large") }
    total = bytes
    try SystemMemory.require(total, for: "\(path): \(name)")
    let memory = try SharedMemory(total)
    var start = 0
    for (file, count) in zip(files, counts) {
      let end = start + count * size
      try file.read(name, into: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<end]))
      start = end
    }
    return NPYArray(
      memory.data, shape: [sum] + extents.dropFirst(), type: type, name: "\(path): \(name)")
  }
}
