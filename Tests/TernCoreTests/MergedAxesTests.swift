import TernCore
import Testing

@Suite struct MergedAxesTests {
  @Test func neighboursBecomeOneWhereEveryTensorAllowsIt() {
    let shape: Shape = [2, 3, 1, 4, 5]
    let dense = shape.strides
    let alone = MergedAxes(shape, strides: [dense])
    #expect(alone.extents == [120] && alone.strides == [[1]])
    // A row repeated along the first two axes.
    let repeated = MergedAxes(shape, strides: [dense, [0, 0, 0, 5, 1]])
    #expect(repeated.extents == [6, 20] && repeated.strides == [[20, 1], [0, 1]])
    // Transposed: nothing runs on.
    let transposed = MergedAxes([3, 4], strides: [[4, 1], [1, 3]])
    #expect(transposed.extents == [3, 4] && transposed.strides == [[4, 1], [1, 3]])
    let scalar = MergedAxes([], strides: [[], []])
    #expect(scalar.extents.isEmpty && scalar.strides == [[], []])
  }

  /// The published test vectors.
  @Test func hashesAreThePublishedOnes() {
    #expect(FNV1a.hash32("".utf8) == 0x811C_9DC5)
    #expect(FNV1a.hash32("a".utf8) == 0xE40C_292C)
    #expect(FNV1a.hash32("foobar".utf8) == 0xBF9C_F968)
    #expect(FNV1a.hash64("a".utf8) == 0xAF63_DC4C_8601_EC8C)
    #expect(FNV1a.hash64("foobar".utf8) == 0x8594_4171_F739_67E8)
  }
}
