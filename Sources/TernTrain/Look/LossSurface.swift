import Foundation
import TernCore
import TernData
import TernRuntime

/// The loss at weights around those of a network, along two directions drawn at random in which every
/// filter is as long as the network's own.
///
/// Source: Li, Xu, Taylor, Studer, Goldstein, "Visualizing the loss landscape of neural nets", 2018.
package struct LossSurface: Sendable {
  /// Where the losses were taken along both directions, ascending, from −radius to radius.
  package let positions: [Double]
  /// Row by row, the second direction changing slowest; not finite where the loss is not.
  package let losses: [Double]
  package let sampleCount: Int

  /// The loss of the network itself.
  package var center: Double { losses[losses.count / 2] }
}

extension NetworkLook {
  /// The loss around the weights.
  ///
  /// - Parameters:
  ///   - pointCount: along each direction, an odd number.
  ///   - radius: how far to go, in lengths of the filters.
  ///   - sampleLimit: the test samples that the loss is taken over, at most.
  ///   - report: told how many of all points are done.
  package func lossSurface(
    pointCount: Int, radius: Double, sampleLimit: Int,
    report: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> LossSurface {
    precondition(pointCount % 2 == 1)
    let size = min(sampleLimit, data.test.count)
    let evaluation = try EvaluationGraph(
      model: model, batchSize: size, objective: objective, seed: seed)
    let session = Session(device: device)
    let executable = try session.compile(evaluation.graph)
    let names = session.variableNames
    try session.load(weights, of: model.name)
    let moved = names.filter { weights[$0].map { $0.shape.rank >= 2 } ?? false }
    let directions = (0..<2).map { direction in
      moved.map { self.direction($0, number: direction) }
    }
    let positions = (0..<pointCount).map {
      radius * (2 * Double($0) / Double(pointCount - 1) - 1)
    }
    var losses: [Double] = []
    try batches(of: data.test, size: size, limit: 1) { batch in
      for second in positions {
        for first in positions {
          for (place, name) in moved.enumerated() {
            var values = weights[name]!.floats
            for index in values.indices {
              values[index] +=
                Float(first) * directions[0][place][index]
                + Float(second) * directions[1][place][index]
            }
            try session.write([name: HostTensor(weights[name]!.shape, values)])
          }
          try executable.upload(batch)
          try executable.step()
          losses.append(Double(try executable.read(TrainingGraph.lossOutput).floats[0]))
          try report(losses.count, pointCount * pointCount)
        }
      }
    }
    return LossSurface(positions: positions, losses: losses, sampleCount: size)
  }

  /// A random direction of a parameter, each filter as long as the parameter's.
  private func direction(_ name: String, number: Int) -> [Float] {
    let value = weights[name]!
    var draws = Philox(seed: seed, stream: .data).normals(
      value.shape.elementCount, FNV1a.hash32(name.utf8), UInt32(0x4C61 + number))
    let own = value.floats
    let width = value.shape.elementCount / value.shape[0]
    for filter in 0..<value.shape[0] {
      let range = filter * width..<(filter + 1) * width
      func norm(_ values: [Float]) -> Double {
        range.reduce(0.0) { $0 + Double(values[$1]) * Double(values[$1]) }.squareRoot()
      }
      let scale = Float(norm(own) / max(norm(draws), 1e-12))
      for index in range { draws[index] *= scale }
    }
    return draws
  }
}
