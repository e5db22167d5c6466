import CMicrokernels
import TernCore

/// Loops over values stored in bfloat16: a block at a time is widened, computed as float32 and rounded again, in
/// the first-level cache.
enum Bfloat16Blocks {
  /// The elements of a block.
  static let length = 512

  /// What `count` blocks of float32 take for every thread.
  static func workspaceByteCount(_ count: Int, _ threads: Threads) -> Int {
    count * length * MemoryLayout<Float>.stride * threads.count
  }
}

extension Threads {
  /// A loop over `count` elements, of which `body` gets a block at a time, and scratch memory of its own.
  ///
  /// - Parameter scratch: of ``Bfloat16Blocks/workspaceByteCount(_:_:)`` for `blocks`.
  func bfloat16Blocks(
    _ count: Int, _ blocks: Int, _ scratch: UnsafeMutablePointer<Float>,
    _ body: @escaping (_ start: Int, _ length: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void
  ) -> Step {
    let size = Bfloat16Blocks.length
    return partitioned(count, grain: Self.elementwiseGrain, alignment: 16) { range, part in
      let own = scratch + part * blocks * size
      for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
        body(start, min(size, range.upperBound - start), own)
      }
    }
  }

  /// y = f(x)
  func elementwise(
    _ count: Int, _ kernel: @escaping UnaryKernel, _ x: UnsafePointer<UInt16>,
    _ y: UnsafeMutablePointer<UInt16>, scratch: UnsafeMutablePointer<Float>
  ) -> Step {
    bfloat16Blocks(count, 1, scratch) { start, length, scratch in
      tern_widen_bfloat16(x + start, scratch, length)
      kernel(scratch, scratch, length)
      tern_narrow_bfloat16(scratch, y + start, length)
    }
  }

  /// y = f(a, b)
  func elementwise(
    _ count: Int, _ kernel: @escaping BinaryKernel, _ a: UnsafePointer<UInt16>,
    _ b: UnsafePointer<UInt16>, _ y: UnsafeMutablePointer<UInt16>,
    scratch: UnsafeMutablePointer<Float>
  ) -> Step {
    bfloat16Blocks(count, 2, scratch) { start, length, scratch in
      let other = scratch + Bfloat16Blocks.length
      tern_widen_bfloat16(a + start, scratch, length)
      tern_widen_bfloat16(b + start, other, length)
      kernel(scratch, other, scratch, length)
      tern_narrow_bfloat16(scratch, y + start, length)
    }
  }
}

extension Lowering {
  /// An operation of one or two tensors stored alike, element by element.
  ///
  /// - Parameter count: the elements that are stored.
  static func elementwise(
    _ type: DataType, _ count: Int, _ threads: Threads, _ kernel: @escaping UnaryKernel
  ) -> Lowering {
    guard type == .bfloat16 else {
      return Lowering { addresses in
        threads.elementwise(count, kernel, addresses.input(0), addresses.output(0))
      }
    }
    return Lowering(workspaceByteCount: Bfloat16Blocks.workspaceByteCount(1, threads)) {
      threads.elementwise(
        count, kernel, $0.bfloat16Input(0), $0.bfloat16Output(0), scratch: $0.workspace())
    }
  }

  static func elementwise(
    _ type: DataType, _ count: Int, _ threads: Threads, _ kernel: @escaping BinaryKernel
  ) -> Lowering {
    guard type == .bfloat16 else {
      return Lowering { addresses in
        threads.elementwise(
          count, kernel, addresses.input(0), addresses.input(1), addresses.output(0))
      }
    }
    return Lowering(workspaceByteCount: Bfloat16Blocks.workspaceByteCount(2, threads)) {
      threads.elementwise(
        count, kernel, $0.bfloat16Input(0), $0.bfloat16Input(1), $0.bfloat16Output(0),
        scratch: $0.workspace())
    }
  }
}
