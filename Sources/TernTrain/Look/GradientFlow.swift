import Foundation
import TernCore
import TernData
import TernGraph
import TernNN
import TernOptim
import TernRuntime

/// How large the gradients of the parameters are, from the first layer to the last.
package struct GradientFlow: Sendable {
  /// Where the network stands: at its start, at the end of an epoch, now.
  package let name: String
  /// The epoch at whose end that is, counted from 1.
  package var epoch: Int?
  /// The parameters that are weights, with the mean of their gradients' magnitudes, in the order of the
  /// layers; not a number where none reaches them.
  package let magnitudes: [(parameter: String, mean: Double)]

  /// The largest of the means over the smallest: gradients that vanish or explode on their way make it
  /// large.
  package var ratio: Double {
    let means = magnitudes.map(\.mean).filter { $0 > 0 && $0.isFinite }
    guard let low = means.min(), let high = means.max() else { return .nan }
    return high / low
  }
}

extension HostTensor {
  /// The mean of the magnitudes of its elements.
  var meanMagnitude: Double {
    floats.reduce(0.0) { $0 + Double(abs($1)) } / Double(max(floats.count, 1))
  }
}

extension GradientFlow {
  /// What a run's log tells of its gradients, epoch by epoch; of an epoch that was trained again the last.
  ///
  /// - Parameter epochCount: how many epochs to tell of at most; the rest, evenly spread, is left out.
  package static func course(ofRun run: String, epochCount: Int = 200) -> [GradientFlow] {
    guard
      let log = FileSystem.contents(
        of: run.appendingPath(RunDirectory.logFile), upToCount: RunDirectory.maximumLogByteCount)
    else { return [] }
    var flows: [Int: GradientFlow] = [:]
    for line in log.split(separator: UInt8(ascii: "\n")) {
      guard line.starts(with: #"{"event":"gradients""#.utf8),
        let event = try? JSON(parsing: String(decoding: line, as: UTF8.self)),
        let epoch = event["epoch"]?.intValue,
        case .object(let members)? = event["mean_magnitudes"]
      else { continue }
      flows[epoch] = GradientFlow(
        name: "epoch \(epoch)", epoch: epoch,
        magnitudes: members.map { ($0.name, $0.value.doubleValue ?? .nan) })
    }
    let epochs = flows.keys.sorted()
    let stride =
      Double(max(epochs.count - 1, 1)) / Double(max(min(epochs.count, epochCount) - 1, 1))
    return (0..<min(epochs.count, epochCount)).map {
      flows[epochs[Int((Double($0) * stride).rounded())]]!
    }
  }
}

extension NetworkLook {
  /// The gradients of the objective's first loss on the first batch of the training set, with several
  /// weights.
  ///
  /// - Parameter states: weights by name, under what they are called.
  package func gradientFlow(
    _ states: [(name: String, weights: [String: HostTensor])], batchSize: Int
  ) throws -> [GradientFlow] {
    let size = min(batchSize, data.training.count)
    let training = try TrainingGraph(
      model: model, objective: objective, pass: objective.passes[0], batchSize: size,
      update: ParameterUpdate(.sgd()), seed: seed, scalesLoss: device.precision.scalesLoss)
    // Memories learn without gradients.
    guard training.parameters.contains(where: \.isTrainable) else { return [] }
    let session = Session(device: device)
    let executable = try session.compile(training.gradientGraph)
    let names = training.parameters.filter { $0.isTrainable && $0.shape.rank >= 2 }.map(\.name)
      .filter(executable.hasOutput)
    return try states.map { state in
      try session.load(state.weights, into: training.parameters.map(\.name), of: model.name)
      var magnitudes: [(parameter: String, mean: Double)] = []
      try batches(of: data.training, size: size, limit: 1) { batch in
        try executable.upload(batch)
        try executable.uploadIfRead(Int32(1), toInput: Optimizer.stepInput)
        try executable.step()
        magnitudes = try names.map { name in
          (name, try executable.read(name).meanMagnitude)
        }
      }
      return GradientFlow(name: state.name, magnitudes: magnitudes)
    }
  }
}

extension Model {
  /// The initial values of all that training reads: also what inference does without.
  package func trainedValues(seed: UInt64) throws -> [String: HostTensor] {
    let graphs = try TrainingGraph.all(of: self, batchSize: 2, update: ParameterUpdate(.sgd()))
    let parameters =
      try inferenceGraph(batchSize: 1).context.parameters + graphs.flatMap(\.parameters)
    return Dictionary(
      parameters.map { ($0.name, $0.initializer.value($0.shape, name: $0.name, seed: seed)) }
    ) { first, _ in first }
  }
}
