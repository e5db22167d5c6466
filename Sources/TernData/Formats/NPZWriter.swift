import CZlib
import Foundation
import TernCore

/// Encodes tensors as an .npz file: a ZIP archive of stored (not packed) .npy files.
///
/// Sources: the NPY format, version 1.0, as NumPy's documentation states it; APPNOTE.TXT of ZIP.
package enum NPZWriter {
  /// The file's bytes: tensors in the order of their names, so equal content gives equal bytes.
  ///
  /// - Throws: ``TernError`` of kind `badData` where the archive would exceed ZIP's 4 GiB.
  package static func encoded(_ tensors: [String: HostTensor]) throws -> Data {
    var archive = Data()
    var directory = Data()
    let limit = Int(UInt32.max)
    for name in tensors.keys.sorted() {
      let content = npy(tensors[name]!)
      let fileName = Data((name + ".npy").utf8)
      guard archive.count + content.count + directory.count < limit - 1 << 20,
        fileName.count < 1 << 16, tensors.count < 1 << 16
      else {
        throw TernError(.badData, "npz: more than 4 GiB of weights; use .safetensors")
      }
      let checksum = content.withUnsafeBytes {
        crc32_z(0, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)
      }
      // Version 2.0, no flags, stored, the first date there is.
      var common = Data()
      common += bytes(UInt16(20)) + bytes(UInt16(0)) + bytes(UInt16(0))
      common += bytes(UInt16(0)) + bytes(UInt16(0x21)) + bytes(UInt32(checksum))
      common += bytes(UInt32(content.count)) + bytes(UInt32(content.count))
      common += bytes(UInt16(fileName.count)) + bytes(UInt16(0))
      directory += bytes(UInt32(0x0201_4B50)) + bytes(UInt16(20)) + common
      // No comment, first disk, no attributes.
      directory += bytes(UInt16(0)) + bytes(UInt16(0)) + bytes(UInt16(0)) + bytes(UInt32(0))
      directory += bytes(UInt32(archive.count)) + fileName
      archive += bytes(UInt32(0x0403_4B50)) + common + fileName + content
    }
    let start = archive.count
    archive += directory
    archive += bytes(UInt32(0x0605_4B50)) + bytes(UInt16(0)) + bytes(UInt16(0))
    archive += bytes(UInt16(tensors.count)) + bytes(UInt16(tensors.count))
    archive += bytes(UInt32(directory.count)) + bytes(UInt32(start)) + bytes(UInt16(0))
    return archive
  }

  private static func npy(_ tensor: HostTensor) -> Data {
    let type = tensor.type.dataType == .float32 ? "<f4" : "<i4"
    let extents = tensor.type.shape.map { "\($0)," }.joined(separator: " ")
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(extents)), }"
    // Magic, length and header together fill whole 64 bytes, a line break last.
    header += String(repeating: " ", count: (64 - (10 + header.utf8.count + 1) % 64) % 64) + "\n"
    var data = Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0])
    data += bytes(UInt16(header.utf8.count)) + Data(header.utf8)
    tensor.withUnsafeBytes { data.append(contentsOf: $0) }
    return data
  }

  private static func bytes<T: FixedWidthInteger>(_ value: T) -> Data {
    withUnsafeBytes(of: value.littleEndian) { Data($0) }
  }
}
