import Foundation
import Synchronization
import TernCore
import TernGraph
import TernRuntime

/// A device that runs every node by plain loops over `Double`s.
package final class ReferenceDevice: Device {
  /// What the results of a node are kept in; sums always run in `Double`.
  package enum Rounding: Hashable, Sendable {
    /// Rounded after every node to what its type holds, so that a checkpoint loses nothing.
    case ofTypes
    /// Not rounded: what finite differences need.
    case none
  }

  package let rounding: Rounding
  package let options: DeviceOptions
  private let allocations = Atomic(0)

  package init(rounding: Rounding = .ofTypes, precision: Precision = .fp32) {
    self.rounding = rounding
    options = DeviceOptions(threads: 1, precision: precision)
  }

  package var info: DeviceInfo { Self.info }
  package var precision: Precision { options.precision }
  package var autocastType: DataType? { precision.halfType }
  package var maximumAllocationByteCount: Int { .max }
  package var allocationCount: Int { allocations.load(ordering: .relaxed) }

  package func supports(_ operation: any TernGraph.Operation, inputs: [TensorType]) -> Bool {
    operation is any ReferenceOperation
  }

  package func allocate(byteCount: Int) throws -> any DeviceBuffer {
    allocations.add(1, ordering: .relaxed)
    return try ReferenceBuffer(byteCount: byteCount)
  }

  package func allocateZeros(byteCount: Int) throws -> any DeviceBuffer {
    let buffer = try allocate(byteCount: byteCount)
    View(TensorType([byteCount], .uint8), in: buffer, layout: .dense).fill(0)
    return buffer
  }

  package func write(_ tensor: HostTensor, to buffer: any DeviceBuffer, layout: Layout) {
    let view = View(tensor.type, in: buffer, layout: layout)
    tensor.withUnsafeBytes { view.load($0) }
  }

  package func read(
    _ type: TensorType, from buffer: any DeviceBuffer, offset: Int, layout: Layout
  ) -> HostTensor {
    View(type, in: buffer, offset: offset, layout: layout).hostTensor()
  }

  package func bind(_ plan: Plan, to memory: PlanMemory) throws -> any BoundPlan {
    try ReferenceBoundPlan(plan, memory, rounding: rounding)
  }
}

/// The bits of a `Double` for every byte of the plan, so that elements of every size have their place. Most are
/// never touched, and take no memory.
final class ReferenceBuffer: DeviceBuffer, @unchecked Sendable {
  /// Bits are stored with these flipped, so that fresh memory, which is all zeros, is NaN: a value read before
  /// it was written must show, in release builds too. This is the oracle.
  static let poison = Double.nan.bitPattern

  let byteCount: Int
  let elements: UnsafeMutablePointer<UInt64>

  init(byteCount: Int) throws {
    self.byteCount = byteCount
    guard let memory = calloc(max(byteCount, 1), MemoryLayout<UInt64>.stride) else {
      throw TernError(
        .outOfMemory, "cannot allocate \(byteCount >> 20) MiB of the reference device")
    }
    elements = memory.bindMemory(to: UInt64.self, capacity: byteCount)
  }

  deinit { free(elements) }
}
