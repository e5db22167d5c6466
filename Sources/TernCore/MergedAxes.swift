/// The axes of a shape that several tensors are walked over with strides of their own, with neighbours made
/// one wherever every tensor allows it: fewer, longer loops. Axes of extent 1 are left out.
package struct MergedAxes: Sendable {
  /// From the outermost to the innermost.
  package private(set) var extents: [Int] = []
  /// Per tensor, the stride along each of the axes.
  package private(set) var strides: [[Int]]

  /// - Parameter strides: per tensor, the strides along the axes of `shape`; 0 repeats.
  package init(_ shape: Shape, strides given: [[Int]]) {
    strides = given.map { _ in [] }
    for axis in 0..<shape.rank where shape[axis] != 1 {
      let runsOn =
        !extents.isEmpty
        && given.indices.allSatisfy { strides[$0].last! == given[$0][axis] * shape[axis] }
      if runsOn {
        extents[extents.count - 1] *= shape[axis]
        for tensor in given.indices { strides[tensor][extents.count - 1] = given[tensor][axis] }
      } else {
        extents.append(shape[axis])
        for tensor in given.indices { strides[tensor].append(given[tensor][axis]) }
      }
    }
  }
}
