import TernCore
import TernGraph
import TernTestSupport
import Testing

@Suite struct DropoutTests {
  private func drop(step: Int32, seed: UInt64 = 1) throws -> [String: [Float]] {
    let inputs = [
      "x": HostTensor(repeating: 3, [10_001]), "step": HostTensor([], [step]),
    ]
    return try evaluate(inputs) { t in
      let y = try t["x"]!.dropout(probability: 0.25, seed: seed, stream: 7, step: t["step"]!)
      return ["y": y, "dx": try gradient(of: y.sum(), withRespectTo: t["x"]!)]
    }.mapValues(\.floats)
  }

  /// Of 10001 elements 75 % survive, within four standard deviations of √(n·p·(1 − p)) = 43.
  @Test func keepsTheShareOfElementsAndTheirMean() throws {
    let y = try drop(step: 1)["y"]!
    #expect(Set(y) == [0, 4])
    #expect(abs(y.filter { $0 == 4 }.count - 7501) < 173)
  }

  @Test func gradientPassesWhereElementsSurvived() throws {
    let result = try drop(step: 1)
    #expect(zip(result["y"]!, result["dx"]!).allSatisfy { ($0 == 0) == ($1 == 0) })
  }

  @Test func maskDependsOnStepAndSeedOnly() throws {
    #expect(try drop(step: 1) == drop(step: 1))
    #expect(try drop(step: 1) != drop(step: 2))
    #expect(try drop(step: 1) != drop(step: 1, seed: 2))
  }
}
