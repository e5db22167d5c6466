import Synchronization
import TernCore
import TernGraph

/// The blocked formats a device uses, each under the identifier its ``Layout`` carries. A format is the same
/// for elements of every type.
final class LayoutTable: Sendable {
  private let descriptors = Mutex<[MemoryDescriptor]>([])

  subscript(id: Int) -> MemoryDescriptor { descriptors.withLock { $0[id] } }

  /// The layout that stands for a format; dense where the format stores elements row by row.
  func layout(for descriptor: MemoryDescriptor) throws -> Layout {
    let shape = descriptor.shape
    let descriptor = descriptor.with(.float32)
    if descriptor == (try MemoryDescriptor(dense: TensorType(shape))) { return .dense }
    let id = descriptors.withLock { known in
      if let index = known.firstIndex(of: descriptor) { return index }
      known.append(descriptor)
      return known.count - 1
    }
    return .blocked(
      id: id, elementCount: descriptor.byteCount / DataType.float32.byteCount,
      description: descriptor.formatName)
  }
}
