import TernCore
import TernGraph
import TernTestSupport
import Testing

@Suite struct SoftmaxTests {
  /// e^0, e^ln 2, e^ln 5 share 1 as 1 : 2 : 5, and so they do when all are shifted by 1000.
  @Test(arguments: [0, 1000] as [Float])
  func sharesOneInProportionToTheExponentials(shift: Float) throws {
    let x = HostTensor([1, 3], [0, 0.693_147_2, 1.609_437_9].map { $0 + shift })
    let result = try evaluate(["x": x]) { t in
      ["y": try t["x"]!.softmax(dim: 1), "log": try t["x"]!.logSoftmax(dim: 1).exp()]
    }
    // A float of 1000 holds four decimals.
    let tolerance: Float = shift == 0 ? 1e-6 : 1e-4
    #expect(areClose(result["y"]!.floats, [0.125, 0.25, 0.625], tolerance: tolerance))
    #expect(areClose(result["log"]!.floats, [0.125, 0.25, 0.625], tolerance: tolerance))
  }

  @Test(arguments: 0..<3)
  func sumsToOneAlongItsAxis(axis: Int) throws {
    let x = HostTensor([2, 3, 4], Philox(key: (1, 2)).normals(24))
    let sums = try evaluate(["x": x]) { t in
      ["sums": try t["x"]!.softmax(dim: axis).sum([axis])]
    }["sums"]!
    #expect(areClose(sums.floats, sums.floats.map { _ in 1 }, tolerance: 1e-6))
  }
}
