import Synchronization
import TernCore
import TernGraph
import TernRuntime

/// A device that runs every node by plain loops over `Double`s.
package final class ReferenceDevice: Device {
  /// What the results of a node are kept in; sums always run in `Double`.
  package enum Precision: Hashable, Sendable {
    /// Rounded to `Float` after every node, so that a checkpoint in float32 loses nothing.
    case float32
    /// Not rounded: what finite differences need.
    case float64
  }

  package let precision: Precision
  private let allocations = Atomic(0)

  package init(precision: Precision = .float32) { self.precision = precision }

  package var info: DeviceInfo { Self.info }
  package var options: DeviceOptions { DeviceOptions(threads: 1) }
  package var maximumAllocationByteCount: Int { .max }
  package var allocationCount: Int { allocations.load(ordering: .relaxed) }

  package func supports(_ operation: any Operation, inputs: [TensorType]) -> Bool {
    operation is any ReferenceOperation
  }

  package func allocate(byteCount: Int) -> any DeviceBuffer {
    allocations.add(1, ordering: .relaxed)
    return ReferenceBuffer(byteCount: byteCount)
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
    try ReferenceBoundPlan(plan, memory, precision: precision)
  }
}

/// One `Double` for every four-byte element of the plan.
final class ReferenceBuffer: DeviceBuffer, @unchecked Sendable {
  let byteCount: Int
  let elements: UnsafeMutableBufferPointer<Double>

  init(byteCount: Int) {
    self.byteCount = byteCount
    elements = .allocate(capacity: byteCount / DataType.float32.byteCount)
    // A value read before it was written must show, in release builds too: this is the oracle.
    elements.initialize(repeating: .nan)
  }

  deinit { elements.deallocate() }
}
