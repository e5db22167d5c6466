import Foundation
import TernCore

/// Encodes tensors as an .npz file: a ZIP archive of stored (not packed) .npy files.
///
/// Source: the NPY format, version 1.0, as NumPy's documentation states it.
package enum NPZWriter {
  /// The file's bytes: tensors in the order of their names, so equal content gives equal bytes.
  ///
  /// - Throws: ``TernError`` of kind `badData` where the archive would exceed ZIP's 4 GiB.
  package static func encoded(_ tensors: [String: HostTensor]) throws -> Data {
    var archive = ZipWriter()
    for name in tensors.keys.sorted() { try archive.append(name + ".npy", npy(tensors[name]!)) }
    return archive.encoded()
  }

  /// NumPy knows no bfloat16: it becomes float32, which holds the same numbers.
  private static func npy(_ tensor: HostTensor) -> Data {
    let tensor = tensor.type.dataType == .bfloat16 ? tensor.cast(to: .float32) : tensor
    let type =
      switch tensor.type.dataType {
      case .float32, .bfloat16: "<f4"
      case .float16: "<f2"
      case .int32: "<i4"
      case .uint8: "|u1"
      }
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
