import COpenCL
import TernCore
import TernGraph
import TernRuntime

/// A value in device memory.
struct View {
  let memory: cl_mem
  /// In elements.
  let offset: Int
  let type: TensorType

  var shape: Shape { type.shape }
  var count: Int { type.elementCount }
  var byteOffset: Int { offset * type.dataType.byteCount }

  /// The same memory under another shape.
  func reshaped(_ shape: Shape) -> View {
    View(memory: memory, offset: offset, type: TensorType(shape, type.dataType))
  }

  /// The same memory as so many elements of another type, from its start on.
  func stored(as dataType: DataType) -> View {
    View(
      memory: memory, offset: offset * type.dataType.byteCount / dataType.byteCount,
      type: TensorType(shape, dataType))
  }

  /// The memory from an element on.
  func moved(by elements: Int) -> View {
    View(memory: memory, offset: offset + elements, type: type)
  }

  /// Some samples of a batch [N, …].
  func samples(_ first: Int, count: Int) -> View {
    let perSample = shape.elementCount(in: 1..<shape.rank)
    return View(
      memory: memory, offset: offset + first * perSample,
      type: TensorType(Shape([count] + shape.dimensions.dropFirst()), type.dataType))
  }
}

/// An argument of a kernel.
enum Argument {
  /// A pointer and an element offset: two arguments of the kernel.
  case tensor(View)
  /// The same where there is nothing that the kernel looks at: it takes a pointer in any case.
  case absent(View)
  case int(Int)
  case uint(UInt32)
  case float(Float)
  /// Up to eight integers as an `int8`.
  case ints([Int])
  /// Up to four numbers as a `float4`.
  case floats([Float])
  /// Up to eight numbers of 32 bits as a `uint8`.
  case uints([UInt32])
  /// What divides by a number; see ``Divisor``.
  case divisor(Int)
  /// Local memory for so many floats.
  case localFloats(Int)
  /// A pointer to integers that never change.
  case table(OpenCLBuffer)
}

extension Argument {
  /// A tensor that may be missing.
  ///
  /// - Parameter other: what is pointed at then, and not looked at.
  static func tensor(_ view: View?, or other: View) -> Argument {
    view.map(Argument.tensor) ?? .absent(other)
  }
}

/// Kernels that take several tensors, or sets of them, together: `common/together.cl`.
enum Together {
  /// How many places the arguments have room for. Every device takes 1024 bytes of them, a tensor up to 16; a place
  /// has two numbers besides.
  ///
  /// - Parameters:
  ///   - tensors: those of a place.
  ///   - byteCount: what the other arguments take.
  static func mostPlaces(tensors: Int, beside byteCount: Int) -> Int {
    [24, 16, 12, 8].first { byteCount + $0 * (8 + 16 * tensors) <= 1024 } ?? 1
  }
}

/// A division by a number that is known before the launch, as a product and a shift: compilers make
/// twenty instructions of one by an argument. It holds for 0 ..< 2³¹; `common/common.cl` divides.
///
/// Source: Granlund and Montgomery, 1994.
package struct Divisor {
  package let value: Int
  package let factor: UInt32
  package let shift: UInt32

  /// - Parameter value: from 1 on; 0 counts as 1, for nothing is divided by it.
  package init(_ value: Int) {
    let value = max(value, 1)
    self.value = value
    let bits = Int.bitWidth - (value - 1).leadingZeroBitCount
    factor = UInt32((1 << (31 + bits)) / value + 1)
    shift = UInt32(bits)
  }
}
