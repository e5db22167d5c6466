import TernCore
import TernNN
import TernRuntime

/// What a network of fixed neurons gives for every state of its inputs.
package struct TruthTable: Sendable {
  package let inputNames: [String]
  package let outputNames: [String]
  /// The inputs and the outputs of each state, the first input changing slowest.
  package let rows: [(inputs: [Float], outputs: [Float])]

  /// More inputs have more states than anyone reads.
  private static let largestCount = 10

  /// - Throws: ``TernError`` of kind `usage` where the network has weights, or too many inputs.
  package init(of model: Model, on device: any Device) throws {
    let count = model.inputShape.elementCount
    guard model.task == .logic, model.inputShape.rank == 1, count <= Self.largestCount else {
      throw TernError(
        .usage,
        "\(model.name): a truth table is for neurons with fixed weights of at most "
          + "\(Self.largestCount) inputs")
    }
    let states = BoltzmannMachine.states(count)
    let outputs = try TrainedNetwork(model, weights: [:], on: device, batchSize: states.shape[0])
      .outputs(for: [states])
    inputNames = (1...count).map { "x\($0)" }
    outputNames = model.outputNames
    rows = (0..<states.shape[0]).map { row in
      (
        Array(states.floats[row * count..<(row + 1) * count]),
        outputs.flatMap { output in
          let width = output.shape.elementCount / states.shape[0]
          return output.floats[row * width..<(row + 1) * width]
        }
      )
    }
  }
}
