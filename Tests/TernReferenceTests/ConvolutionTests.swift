import TernCore
import TernGraph
import TernTestSupport
import Testing

@Suite struct ConvolutionTests {
  let x = HostTensor([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9] as [Float])
  let w = HostTensor([1, 1, 2, 2], [1, 2, 3, 4] as [Float])
  let b = HostTensor([1], [10] as [Float])

  /// 1·1 + 2·2 + 3·4 + 4·5 + 10 = 47, and so on.
  @Test func matchesTheSumWrittenOut() throws {
    let y = try evaluate(["x": x, "w": w, "b": b]) { t in
      ["y": try t["x"]!.conv2d(weight: t["w"]!, bias: t["b"]!)]
    }["y"]!
    #expect(y == HostTensor([1, 1, 2, 2], [47, 57, 77, 87] as [Float]))
  }

  /// The first window holds one corner of the input and padding, the last one no padding.
  @Test func strideAndPaddingMoveTheWindow() throws {
    let y = try evaluate(["x": x, "w": w]) { t in
      ["y": try t["x"]!.conv2d(weight: t["w"]!, stride: [2, 2], padding: [1, 1])]
    }["y"]!
    let expected: [Float] = [4, 2 * 3 + 3 * 4, 4 * 2 + 7 * 4, 5 + 6 * 2 + 8 * 3 + 9 * 4]
    #expect(y.floats == expected)
  }

  /// The gradient of Σ y: every weight sums the inputs it meets, every input the weights.
  @Test func gradientsOfTheSum() throws {
    let result = try evaluate(["x": x, "w": w, "b": b]) { t in
      let sum = try t["x"]!.conv2d(weight: t["w"]!, bias: t["b"]!).sum()
      let gradients = try sum.builder.gradients(
        of: sum, withRespectTo: [t["x"]!, t["w"]!, t["b"]!])
      return ["dx": gradients[0]!, "dw": gradients[1]!, "db": gradients[2]!]
    }
    #expect(result["dx"]!.floats == [1, 3, 2, 4, 10, 6, 3, 7, 4])
    #expect(result["dw"]!.floats == [12, 16, 24, 28])
    #expect(result["db"]!.floats == [4])
  }

  /// With a group per channel, each output sees its own input only.
  @Test func groupsKeepChannelsApart() throws {
    let x = HostTensor([1, 2, 1, 1], [3, 5] as [Float])
    let w = HostTensor([2, 1, 1, 1], [10, 100] as [Float])
    let y = try evaluate(["x": x, "w": w]) { t in
      ["y": try t["x"]!.conv2d(weight: t["w"]!, groups: 2)]
    }["y"]!
    #expect(y.floats == [30, 500])
  }
}
