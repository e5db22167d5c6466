import Foundation
import TernCore
import TernGraph
import TernRuntime
import TernTestSupport
import Testing

@Suite struct LossTests {
  /// Equal logits over C classes: whatever the target, the loss is log C.
  @Test(arguments: [0, 0.3] as [Float])
  func crossEntropyOfEqualLogitsIsTheLogarithmOfTheClasses(labelSmoothing: Float) throws {
    let inputs = [
      "x": HostTensor(repeating: 2, [3, 4]), "target": HostTensor([3], [0, 3, 1] as [Int32]),
    ]
    let loss = try evaluate(inputs) { t in
      ["loss": try t["x"]!.crossEntropy(t["target"]!, labelSmoothing: labelSmoothing)]
    }["loss"]!
    #expect(areClose(loss.floats, [Float(log(4.0))], tolerance: 1e-6))
  }

  /// Losses 1 and 2 of weights 3 and 1; the third target is ignored: (3·1 + 1·2) / (3 + 1).
  @Test func meanDividesByTheWeightsThatCount() throws {
    let inputs = [
      "x": HostTensor([3, 2], [-1, -9, -9, -2, -7, -7] as [Float]),
      "target": HostTensor([3], [0, 1, -100] as [Int32]),
      "weight": HostTensor([2], [3, 1] as [Float]),
    ]
    let result = try evaluate(inputs) { t in
      let loss = try t["x"]!.nllLoss(t["target"]!, weight: t["weight"]!)
      return ["loss": loss, "dx": try gradient(of: loss, withRespectTo: t["x"]!)]
    }
    #expect(result["loss"]!.floats == [1.25])
    #expect(result["dx"]!.floats == [-0.75, 0, 0, -0.25, 0, 0])
  }

  /// A pair of the same vectors has no direction in which it lies apart: nothing moves it, whether it
  /// belongs together or not.
  @Test(arguments: TestDevices.ids) func twoOfTheSameAreNotPulledAtAll(device: String) throws {
    let builder = GraphBuilder()
    let (first, second) = (try builder.variable("a", [2, 3]), try builder.variable("b", [2, 3]))
    let target = try builder.input("target", [2])
    let loss = try first.contrastiveLoss(second, target: target, margin: 1)
    builder.output("loss", loss)
    for (name, gradient) in zip(
      ["da", "db"], try builder.gradients(of: loss, withRespectTo: [first, second]))
    { builder.output(name, try #require(gradient)) }
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    let rows = HostTensor([2, 3], [1, -2, 3, 0, 0, 0] as [Float])
    try session.write(["a": rows, "b": rows])
    let result = try executable.run(["target": HostTensor([2], [1, 0] as [Float])])
    // The second pair is to be a margin apart: (1 · 0 + 1²) / (2 · 2).
    #expect(result["loss"]!.floats == [0.25])
    for name in ["da", "db"] { #expect(result[name]!.floats.allSatisfy { $0 == 0 }) }
  }

  @Test func targetOutsideTheClassesIsAnErrorThatNamesIt() throws {
    let inputs = [
      "x": HostTensor(repeating: 0, [1, 2]), "target": HostTensor([1], [2] as [Int32]),
    ]
    let error = #expect(throws: TernError.self) {
      try evaluate(inputs) { t in ["loss": try t["x"]!.nllLoss(t["target"]!)] }
    }
    #expect(error?.message == "nll_loss: target: element 0 is 2, outside 0..<2")
  }
}
