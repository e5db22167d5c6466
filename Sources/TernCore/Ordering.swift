// NaN compares as false with everything, itself included. Sorting by `<` is then no order, and looking
// for equal neighbours by `==` need not end. Whatever ranks numbers that come from data or from a
// device uses these instead: NaN has a place, behind every other number.

extension BinaryFloatingPoint {
  /// Whether the number stands before another in ascending order; NaN is the last.
  @inlinable package func isOrdered(before other: Self) -> Bool {
    self < other || (other.isNaN && !isNaN)
  }

  /// Whether the number takes the same place as another in that order.
  @inlinable package func isOrdered(with other: Self) -> Bool {
    self == other || (isNaN && other.isNaN)
  }
}

extension Sequence where Element: BinaryFloatingPoint {
  /// The numbers in ascending order, NaN last.
  @inlinable package func sortedNaNLast() -> [Element] { sorted { $0.isOrdered(before: $1) } }

  /// The least and the largest of the finite numbers; `nil` where none is.
  @inlinable package var finiteRange: ClosedRange<Element>? {
    var range: ClosedRange<Element>?
    for element in self where element.isFinite {
      let (low, high) = (range?.lowerBound ?? element, range?.upperBound ?? element)
      range = Swift.min(low, element)...Swift.max(high, element)
    }
    return range
  }
}

extension RandomAccessCollection where Element: BinaryFloatingPoint {
  /// Where the largest element stands, the first of equal ones; NaN is the largest, as in PyTorch's
  /// argmax, so that it is seen. `nil` of none.
  @inlinable package var indexOfLargest: Index? {
    guard var best = indices.first else { return nil }
    for index in indices where self[best].isOrdered(before: self[index]) { best = index }
    return best
  }

  /// All positions, the largest element first, equal ones in their order; NaN behind every number.
  @inlinable package var indicesFromLargest: [Index] {
    indices.sorted { a, b in
      let (x, y) = (self[a], self[b])
      if x.isNaN || y.isNaN { return x.isNaN == y.isNaN ? a < b : y.isNaN }
      return x == y ? a < b : x > y
    }
  }
}
