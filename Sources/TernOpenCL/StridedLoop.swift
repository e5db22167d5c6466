import TernCore

/// A loop over a shape in which several tensors are read or written with strides of their own.
/// Axes that run on are merged; the kernels take up to eight.
struct StridedLoop {
  /// Eight extents, outermost first, padded with 1 in front.
  let extents: [Int]
  /// Per tensor: eight strides, in elements.
  let strides: [[Int]]

  static let maximumRank = 8

  /// - Throws: ``TernError`` where more than eight axes remain.
  init(_ shape: Shape, strides: [[Int]], operation: String) throws {
    var extents: [Int] = []
    var merged = [[Int]](repeating: [], count: strides.count)
    for axis in 0..<shape.rank where shape[axis] != 1 {
      let runsOn =
        !extents.isEmpty
        && strides.indices.allSatisfy {
          merged[$0].last! == strides[$0][axis] * shape[axis]
        }
      if runsOn {
        extents[extents.count - 1] *= shape[axis]
        for i in strides.indices { merged[i][merged[i].count - 1] = strides[i][axis] }
      } else {
        extents.append(shape[axis])
        for i in strides.indices { merged[i].append(strides[i][axis]) }
      }
    }
    guard extents.count <= Self.maximumRank else {
      throw TernError(
        .runtime, "\(operation) on \(shape): OpenCL kernels take at most \(Self.maximumRank) axes")
    }
    let missing = Self.maximumRank - extents.count
    self.extents = [Int](repeating: 1, count: missing) + extents
    self.strides = merged.map { [Int](repeating: 0, count: missing) + $0 }
  }

  /// Eight numbers, padded in front.
  static func padded(_ values: [Int], with filler: Int) -> [Int] {
    [Int](repeating: filler, count: maximumRank - values.count) + values
  }
}
