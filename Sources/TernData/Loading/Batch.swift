import TernCore

/// Some samples on the host: a named buffer for each field. The memory is the loader's and holds until
/// the next call of ``BatchLoader/next()``.
public struct Batch {
  /// The number of samples, N.
  public let count: Int
  private let buffers: [Buffer]

  /// The memory of a field, for as many samples as a batch has at most.
  struct Buffer {
    let name: String
    let start: UnsafeMutableRawPointer
    /// Of a sample, or of all where ``isPerBatch``.
    let byteCount: Int
    var isPerBatch = false
  }

  init(count: Int, _ buffers: [Buffer]) {
    self.count = count
    self.buffers = buffers
  }

  private func bytes(_ buffer: Buffer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: buffer.start, count: buffer.isPerBatch ? buffer.byteCount : count * buffer.byteCount)
  }

  /// The values of a field, sample by sample, [N, …]; `nil` where there is none of this name.
  public subscript(name: String) -> UnsafeRawBufferPointer? {
    buffers.first { $0.name == name }.map(bytes)
  }

  /// The names of the fields with their values.
  public var fields: some Sequence<(name: String, bytes: UnsafeRawBufferPointer)> {
    buffers.lazy.map { (name: $0.name, bytes: bytes($0)) }
  }

  /// The first field: normalised pictures [N, C, H, W] or vectors [N, D], or pictures as bytes.
  public var samples: UnsafeRawBufferPointer { bytes(buffers[0]) }
  /// What is to be predicted: [N] int32 classes, [N, H, W] int32 classes of pixels, [N, T] float32
  /// numbers.
  public var targets: UnsafeRawBufferPointer { bytes(buffers[1]) }
}
