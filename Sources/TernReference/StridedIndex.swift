import TernCore

/// Where the elements of a tensor stand in another one: element [i, j, …] of `shape` at
/// `start + i · strides[0] + j · strides[1] + …`.
///
/// Broadcasting, permuting, narrowing and reducing are all this, with different strides.
struct StridedIndex {
  private let extents: [Int]
  private let strides: [Int]
  private let start: Int

  init(_ shape: Shape, strides: [Int], start: Int = 0) {
    extents = shape.dimensions
    self.strides = strides
    self.start = start
  }

  /// The elements of `target` in a tensor of `source`'s shape that is repeated to it.
  init(_ target: Shape, broadcasting source: Shape) {
    self.init(target, strides: source.broadcastStrides(to: target))
  }

  /// The place of the element that is number `element` when counted row by row.
  subscript(element: Int) -> Int {
    var rest = element
    var place = start
    for axis in extents.indices.reversed() {
      place += rest % extents[axis] * strides[axis]
      rest /= extents[axis]
    }
    return place
  }
}
