import TernCore

/// A loop over a shape in which several tensors are read or written with strides of their own:
/// rows of the innermost axis, and up to seven axes around it. Axes that run on are merged.
struct StridedLoop {
  /// The extent of the innermost axis, and each tensor's stride along it.
  let inner: Int
  let innerStrides: [Int]
  /// The axes around it: their extents, and each tensor's strides.
  private var extents: [Int]
  private var strides: [[Int]]

  /// How often the innermost axis is run along.
  var rows: Int { extents.reduce(1, *) }
  /// The axes around the innermost.
  var axes: Int { extents.count }
  /// Their extents and what divides by them, then each tensor's strides, as `common/strided.cl` takes
  /// them: eight numbers each.
  var arguments: [Argument] {
    let extents = Self.padded(extents, with: 1)
    let divisors = extents.map(Divisor.init)
    return [.ints(extents), .uints(divisors.map(\.factor)), .uints(divisors.map(\.shift))]
      + strides.map { .ints(Self.padded($0, with: 0)) }
  }
  /// How far apart vectors along the innermost axis lie, in the tensors that have any.
  func distances(where isIncluded: (Int) -> Bool) -> [Int] {
    [inner] + strides.indices.filter(isIncluded).flatMap { strides[$0] }
  }

  static let maximumRank = 8

  /// - Throws: ``TernError`` where more than eight axes remain.
  init(_ shape: Shape, strides: [[Int]], operation: String) throws {
    let axes = MergedAxes(shape, strides: strides)
    guard axes.extents.count <= Self.maximumRank else {
      throw TernError(
        .runtime, "\(operation) on \(shape): OpenCL kernels take at most \(Self.maximumRank) axes")
    }
    inner = axes.extents.last ?? 1
    innerStrides = axes.strides.map { $0.last ?? 0 }
    extents = axes.extents.dropLast()
    self.strides = axes.strides.map { $0.dropLast() }
  }

  /// Takes out an axis around the innermost along which the elements of a tensor are neighbours.
  ///
  /// - Returns: its extent, and each tensor's stride along it.
  mutating func removeAxis(contiguousIn tensor: Int) -> (extent: Int, strides: [Int])? {
    guard let axis = strides[tensor].lastIndex(of: 1) else { return nil }
    return (extents.remove(at: axis), strides.indices.map { strides[$0].remove(at: axis) })
  }

  /// Eight numbers, padded in front.
  static func padded(_ values: [Int], with filler: Int) -> [Int] {
    [Int](repeating: filler, count: maximumRank - values.count) + values
  }
}
