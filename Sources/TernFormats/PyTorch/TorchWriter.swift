import Foundation
import TernCore
import TernData

/// Encodes tensors as PyTorch's `torch.save` does since 1.6: a ZIP archive of a pickle and of each tensor's
/// numbers. What it holds is a dictionary of tensors by name, which `torch.load(weights_only=True)` reads.
///
/// Sources: the instructions of pickles, PEP 307 and Python's `pickletools`; the layout of the archive, PyTorch's
/// notes on serialization.
package enum TorchWriter {
  /// The folder around the archive's members.
  private static let folder = "archive"
  /// Where tensors start, so that PyTorch can map them.
  private static let alignment = 64

  /// The file's bytes: tensors in the order of their names, so equal content gives equal bytes.
  ///
  /// - Throws: ``TernError`` of kind `badData` where the archive would exceed ZIP's 4 GiB.
  package static func encoded(_ tensors: [String: HostTensor]) throws -> Data {
    let names = tensors.keys.sorted()
    var archive = ZipWriter(alignment: alignment)
    func append(_ name: String, _ content: Data) throws {
      try archive.append("\(folder)/\(name)", content)
    }
    var pickle = PickleWriter()
    pickle.dictionary {
      for (index, name) in names.enumerated() {
        $0.string(name)
        $0.tensor(tensors[name]!, key: "\(index)")
      }
    }
    try append("data.pkl", pickle.finished())
    try append("byteorder", Data("little".utf8))
    for (index, name) in names.enumerated() {
      try append("data/\(index)", tensors[name]!.withUnsafeBytes { Data($0) })
    }
    try append("version", Data("3\n".utf8))
    return archive.encoded()
  }
}

/// Writes a pickle of protocol 2, with the instructions that dictionaries of tensors need.
private struct PickleWriter {
  private var data = Data([0x80, 2])

  func finished() -> Data { data + Data(".".utf8) }

  private mutating func instruction(_ letter: Character) { data.append(letter.asciiValue!) }

  mutating func string(_ text: String) {
    instruction("X")
    append(UInt32(text.utf8.count))
    data += Data(text.utf8)
  }

  /// A number of at most 2^31 − 1 elements, as every tensor of a device has, in the shortest of its forms.
  private mutating func integer(_ value: Int) {
    switch value {
    case 0..<1 << 8:
      instruction("K")
      data.append(UInt8(value))
    case 0..<1 << 16:
      instruction("M")
      append(UInt16(value))
    default:
      instruction("J")
      append(Int32(value))
    }
  }

  private mutating func name(_ module: String, _ name: String) {
    data += Data("c\(module)\n\(name)\n".utf8)
  }

  private mutating func tuple(_ body: (inout PickleWriter) -> Void) {
    instruction("(")
    body(&self)
    instruction("t")
  }

  mutating func dictionary(_ body: (inout PickleWriter) -> Void) {
    instruction("}")
    instruction("(")
    body(&self)
    instruction("u")
  }

  /// A call that rebuilds a tensor of the storage `key`: an offset, the shape, the strides, whether it needs
  /// gradients, and its hooks, of which there are none.
  mutating func tensor(_ tensor: HostTensor, key: String) {
    let shape = tensor.shape
    name("torch._utils", "_rebuild_tensor_v2")
    tuple {
      $0.tuple {
        $0.string("storage")
        $0.name("torch", tensor.type.dataType == .float32 ? "FloatStorage" : "IntStorage")
        $0.string(key)
        $0.string("cpu")
        $0.integer(shape.elementCount)
      }
      $0.instruction("Q")
      $0.integer(0)
      $0.tuple { for extent in shape { $0.integer(extent) } }
      $0.tuple { for stride in shape.strides { $0.integer(stride) } }
      $0.data.append(0x89)
      $0.name("collections", "OrderedDict")
      $0.instruction(")")
      $0.instruction("R")
    }
    instruction("R")
  }

  private mutating func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
  }
}
