import TernCore
import TernGraph
import TernTestSupport
import Testing

@Suite struct PoolingTests {
  @Test func firstOfEqualMaximaCounts() throws {
    let ties = HostTensor(repeating: 3, [1, 1, 2, 2])
    let result = try evaluate(["x": ties]) { tensors in
      let (y, indices) = try tensors["x"]!.maxPool2dWithIndices(PoolingWindow(kernel: [2, 2]))
      return ["y": y, "indices": indices]
    }
    #expect(result["y"]!.floats == [3])
    #expect(result["indices"]!.integers == [0])
  }

  /// A row of 5 ones, padded by 1: windows of 3 at -1, 1 and 3.
  @Test(arguments: [true: [2 / 3, 1, 2 / 3] as [Float], false: [1, 1, 1]])
  func averageCountsThePaddingIfAsked(countsPadding: Bool, expected: [Float]) throws {
    let row = HostTensor(repeating: 1, [1, 1, 1, 5])
    let y = try evaluate(["x": row]) { tensors in
      let window = PoolingWindow(kernel: [1, 3], stride: [1, 2], padding: [0, 1])
      return ["y": try tensors["x"]!.avgPool2d(window, countsPadding: countsPadding)]
    }["y"]!
    #expect(y.floats == expected)
  }

  /// The window at 4 ..< 7 of 6 columns reaches beyond the padding of 0, where nothing counts.
  @Test func averageNeverCountsWhatLiesBeyondThePadding() throws {
    let row = HostTensor([1, 1, 1, 6], [1, 2, 3, 4, 5, 6] as [Float])
    let y = try evaluate(["x": row]) { tensors in
      let window = PoolingWindow(kernel: [1, 3], stride: [1, 2], ceilMode: true)
      return ["y": try tensors["x"]!.avgPool2d(window)]
    }["y"]!
    #expect(y.floats == [2, 4, 5.5])
  }
}
