import Foundation
import TernCore
import Testing

@testable import TernData

/// Small files that claim to be large ones: refused by what they say, before memory is taken.
@Suite struct DeclaredSizeTests {
  private func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  @Test func packedPicturesAreBoundedByTheirFile() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    try files.writeDataset()
    for (name, extents) in [
      ("train-images-idx3-ubyte", [23, 10_000, 1000]), ("t10k-labels-idx1-ubyte", [100_000_000]),
    ] {
      try FileManager.default.removeItem(atPath: files.path(name))
      // Enough packed bytes that zeros, and nothing else, could be behind them.
      var state: UInt64 = 1
      let noise = (0..<300_000).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(state >> 56)
      }
      try files.write(name + ".gz", FixtureFiles.gzip(FixtureFiles.header(extents) + noise))
      let error = #expect(throws: TernError.self) {
        try DataSource.open("idx:\(files.directory)")
      }
      #expect(error?.kind == .badData && error?.message.contains(name) == true)
      #expect(error?.message.contains("packed bytes would become") == true, "\(error!.message)")
      try FileManager.default.removeItem(atPath: files.path(name + ".gz"))
      try files.writeDataset()
    }
    // Zeros that are few enough are taken, whatever they are packed to.
    let zeros = FixtureFiles.gzip(
      FixtureFiles.header([1 << 20]) + [UInt8](repeating: 0, count: 1 << 20))
    try files.write("zeros.gz", zeros)
    #expect(try IDXFile(contentsOf: files.path("zeros.gz"), axes: 1).elements.count == 1 << 20)
  }

  @Test func packedTextIsBoundedByItsFile() throws {
    #expect(PackedSize.limit(1000) == 1000 * 1032)
    #expect(PackedSize.limit(1 << 20) == 200 << 20)
    #expect(PackedSize.limit(1 << 18) == 64 << 20)
    #expect(PackedSize.limit(.max) == .max)
  }

  @Test func picturesAreBoundedByTheirFile() throws {
    // A PNG without data, of the size that is allowed.
    var head = Array("IHDR".utf8) + [0, 0, 0x1F, 0xFF, 0, 0, 0x1F, 0xFF, 8, 2, 0, 0, 0]
    head += FixtureFiles.checksum(head)
    let png = PictureFixture.named("colorPNG").data
    let claim = png.prefix(8) + [0, 0, 0, 13] + head + png.dropFirst(33)
    let error = #expect(throws: TernError.self) { try Picture(Data(claim), name: "a") }
    #expect(error?.message.contains("cannot hold 8191×8191 pixels") == true)
    var jpeg = PictureFixture.named("colorJPEG").data
    let frame = try #require(jpeg.firstRange(of: Data([0xFF, 0xC0])))
    for i in [5, 7] { jpeg[frame.lowerBound + i] = 0x1F }
    let other = #expect(throws: TernError.self) { try Picture(jpeg, name: "a") }
    #expect(other?.message.contains("cannot hold") == true, "\(other!.message)")
  }

  /// What is wrong with one array that is not asked for does not matter.
  @Test func arraysThatNobodyNeedsAreNotRead() throws {
    let files = try FixtureFiles()
    defer { files.remove() }
    func npy(_ type: String, _ shape: String, _ bytes: [UInt8]) -> [UInt8] {
      let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(shape)), }\n"
      return [0x93] + Array("NUMPY".utf8) + [1, 0] + little(header.utf8.count, 2)
        + Array(header.utf8) + bytes
    }
    let members: [(String, [UInt8], UInt8)] = [
      ("x_train", npy("|u1", "10, 2", [UInt8](repeating: 1, count: 20)), 0),
      ("y_train", npy("|u1", "10,", (0..<10).map { UInt8($0 % 2) }), 0),
      ("names", npy("|O", "99999999999999999999, 3", []), 0), ("odd", [1, 2, 3], 99),
    ]
    var (file, directory) = ([UInt8](), [UInt8]())
    for (name, bytes, method) in members {
      let name = Array("\(name).npy".utf8)
      let common =
        [20, 0, 0, 0, method, 0, 0, 0, 0, 0] + FixtureFiles.checksum(bytes).reversed()
        + little(bytes.count, 4) + little(bytes.count, 4) + little(name.count, 2)
      directory += [0x50, 0x4B, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 12)
      directory += little(file.count, 4) + name
      file += [0x50, 0x4B, 3, 4] + common + [0, 0] + name + bytes
    }
    file += directory + [0x50, 0x4B, 5, 6, 0, 0, 0, 0]
    file += little(members.count, 2) + little(members.count, 2) + little(directory.count, 4)
    file += little(file.count - directory.count - 16, 4) + [0, 0]
    try files.write("a.npz", file)
    let source = try DataSource.open("npz:\(files.path("a.npz"))")
    #expect(source.training.count == 8)
    #expect(source.notes.contains { $0.contains("array 'names', array 'odd'") }, "\(source.notes)")
  }

  @Test(arguments: [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",
    #"{"descr": "<f4", "fortran_order": False, "shape": (2, 3)}"#,
    "{ 'shape' : ( 2 , 3 , ) , 'fortran_order':False,'descr':'<f4' }   \n",
    "{'descr': u'<f4', 'fortran_order': False, 'shape': (2l,3)}\n",
  ])
  func headersOfAllVersionsOfNumPyAreRead(header: String) throws {
    let parsed = try NPYHeader(header)
    #expect(parsed.shape == [2, 3] && parsed.type == "<f4" && !parsed.isFortranOrder)
  }

  @Test(arguments: [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999999)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, True)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} 1",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
    "{'fortran_order': False, 'shape': (2,)}", "{'descr': '<f4", "", "{", "{'shape': (((((",
  ])
  func otherHeadersAreRefused(header: String) {
    #expect(throws: NPYHeader.Fault.self) { try NPYHeader(header) }
  }
}
