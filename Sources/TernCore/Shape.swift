/// The extents of a tensor along its axes, outermost first; `[]` is a scalar.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, RandomAccessCollection,
  MutableCollection, CustomStringConvertible
{
  /// The extents, outermost first.
  public var dimensions: [Int]

  /// A shape of these extents, outermost first.
  public init(_ dimensions: [Int]) { self.dimensions = dimensions }
  public init(arrayLiteral elements: Int...) { dimensions = elements }

  public var startIndex: Int { 0 }
  public var endIndex: Int { dimensions.count }
  public subscript(position: Int) -> Int {
    get { dimensions[position] }
    set { dimensions[position] = newValue }
  }

  /// The number of axes.
  public var rank: Int { dimensions.count }

  /// The number of elements: the product of all extents.
  public var elementCount: Int { dimensions.reduce(1, *) }

  /// Whether every extent is at least 1 and what devices count with, a sample (what one position of the
  /// first axis holds) too, so that it can be made an axis of its own, and the elements are few enough
  /// that no arithmetic on their bytes overflows.
  public var isUsable: Bool {
    guard dimensions.allSatisfy({ (1...Int(Int32.max)).contains($0) }),
      let count = Self.elementCount(ofExtents: dimensions, limit: 1 << 44)
    else { return false }
    return rank == 0 || count / dimensions[0] <= Int(Int32.max)
  }

  /// The product of extents that come from outside; `nil` where one is below 0 or the product above a limit.
  ///
  /// - Parameters:
  ///   - size: what each element counts for: 1, or its bytes.
  ///   - limit: the largest product that is allowed.
  package static func elementCount(
    ofExtents extents: [Int], size: Int = 1, limit: Int = .max
  ) -> Int? {
    var count = size
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow, product <= limit else { return nil }
      count = product
    }
    return count
  }

  /// The distance between neighbours along each axis, in elements, when stored row by row.
  public var strides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * dimensions[axis + 1]
    }
    return strides
  }

  /// The product of the extents in `range`, 1 where it is empty.
  public func elementCount(in range: Range<Int>) -> Int { dimensions[range].reduce(1, *) }

  public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }

  /// The shape both operands are repeated to, by the usual rule: align at the innermost axis;
  /// extents agree or one of them is 1. `nil` where they do not fit.
  public static func broadcast(_ a: Shape, _ b: Shape) -> Shape? {
    let rank = Swift.max(a.rank, b.rank)
    var result = [Int](repeating: 1, count: rank)
    for i in 1...Swift.max(rank, 1) where i <= rank {
      let x = i <= a.rank ? a[a.rank - i] : 1
      let y = i <= b.rank ? b[b.rank - i] : 1
      guard x == y || x == 1 || y == 1 else { return nil }
      result[rank - i] = Swift.max(x, y)
    }
    return Shape(result)
  }

  /// The strides with which a tensor of this shape is read as if it had `target`'s shape: 0 along
  /// every repeated axis.
  public func broadcastStrides(to target: Shape) -> [Int] {
    let own = strides
    var result = [Int](repeating: 0, count: target.rank)
    for i in 0..<rank {
      let axis = target.rank - rank + i
      result[axis] = dimensions[i] == 1 && target[axis] != 1 ? 0 : own[i]
    }
    return result
  }
}

/// What a tensor is before it holds anything: its shape and the type of its elements.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  /// The extents.
  public var shape: Shape
  /// What the elements are.
  public var dataType: DataType

  /// A type of that shape, of float32 where nothing else is said.
  public init(_ shape: Shape, _ dataType: DataType = .float32) {
    self.shape = shape
    self.dataType = dataType
  }

  /// The number of elements.
  public var elementCount: Int { shape.elementCount }
  /// Size when stored densely, in bytes.
  public var byteCount: Int { elementCount * dataType.byteCount }
  public var description: String { "\(dataType)\(shape)" }
}
