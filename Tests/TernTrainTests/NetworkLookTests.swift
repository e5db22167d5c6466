import Foundation
import Tern
import TernTestSupport
import Testing

/// What is seen inside networks whose insides are known.
@Suite struct NetworkLookTests {
  private func look(
    _ layers: Sequential, _ weights: [String: HostTensor], samples: [Float], numbers: [Float],
    on device: String = "cpu"
  ) throws -> NetworkLook {
    let model = Model(
      name: "net", inputShape: [2], classCount: 1, layers: layers, task: .regression)
    let set = ValueDataset(
      values: samples, numbers: numbers, sampleShape: [2], targetNames: ["y"])
    return NetworkLook(
      model, weights: weights, data: try TrainingData(set), objective: Regression(), seed: 0,
      on: try TestDevices.open(device))
  }

  /// A linear unit with weights (3, 4) on the unit vectors: along a direction as long as the weights,
  /// the mean squared error is 25/2.
  @Test(arguments: TestDevices.ids) func theSurfacesDirectionsAreAsLongAsTheFilters(device: String)
    throws
  {
    let look = try look(
      Sequential { Linear(1, hasBias: false).named("fc") },
      ["fc.weight": HostTensor([1, 2], [3, 4] as [Float])], samples: [1, 0, 0, 1],
      numbers: [3, 4], on: device)
    let surface = try look.lossSurface(pointCount: 5, radius: 1, sampleLimit: 2)
    #expect(surface.positions == [-1, -0.5, 0, 0.5, 1])
    #expect(surface.center == 0)
    for (column, row) in [(0, 2), (4, 2), (2, 0), (2, 4)] {
      #expect(abs(surface.losses[row * 5 + column] - 12.5) < 1e-4)
    }
    // Halfway it is a quarter, and the two directions are not the same.
    #expect(abs(surface.losses[2 * 5 + 3] - 12.5 / 4) < 1e-4)
    #expect(abs(surface.losses[0] - surface.losses[4]) > 1e-3)
  }

  @Test func deadUnitsAreCounted() throws {
    let look = try look(
      Sequential {
        Linear(3).named("fc1")
        Functional.relu.named("relu")
        Linear(1).named("fc2")
      },
      [
        "fc1.weight": HostTensor([3, 2], [1, 0, -1, -1, 0, 1] as [Float]),
        "fc1.bias": HostTensor([3], [0, 0, -1] as [Float]),
        "fc2.weight": HostTensor([1, 3], [1, 1, 1] as [Float]),
        "fc2.bias": HostTensor([1], [0.5] as [Float]),
      ], samples: [1, 2, 3, 0.5, 2, 4], numbers: [0, 0, 0])
    let layers = try look.activations(sampleLimit: 10)
    #expect(layers.map(\.name) == ["fc1", "relu", "fc2"])
    let relu = layers[1]
    // (1, 0, 1), (3, 0, 0), (2, 0, 3): the second is never on.
    #expect(relu.deadUnits == [1] && relu.unitCount == 3)
    #expect(abs(relu.zeroShare - 4.0 / 9) < 1e-12 && abs(relu.mean - 10.0 / 9) < 1e-6)
    #expect(relu.range == 0...3 && relu.histogram.reduce(0, +) == 9)
    #expect(layers[0].deadUnits.isEmpty && layers[2].deadUnits.isEmpty)
  }

  /// d/dw of mean (w·x − y)², by hand, for two states of the weights.
  @Test func gradientsAreThoseOfTheLoss() throws {
    let look = try look(
      Sequential { Linear(1, hasBias: false).named("fc") },
      ["fc.weight": HostTensor([1, 2], [3, 4] as [Float])], samples: [1, 0, 0, 1],
      numbers: [3, 4])
    let flows = try look.gradientFlow(
      [
        ("there", look.weights), ("off", ["fc.weight": HostTensor([1, 2], [4, 2] as [Float])]),
      ], batchSize: 8)
    #expect(flows.map(\.name) == ["there", "off"])
    #expect(flows[0].magnitudes.map(\.mean) == [0])
    // Residuals (1, −2): the gradient is (1, −2).
    #expect(abs(flows[1].magnitudes[0].mean - 1.5) < 1e-6)
  }

  /// A unit that weighs the left half of a picture is largest where that half is bright.
  @Test func whatMaximisesAUnitIsWhatItWeighs() throws {
    let model = Model(
      name: "halves", inputShape: [1, 4, 4], classCount: 2,
      layers: Sequential {
        Functional.flatten.named("flatten")
        Linear(2).named("fc")
      })
    let weights: [Float] = (0..<32).map { ($0 % 4 < 2) == ($0 < 16) ? 1 : -1 }
    let set = ValueDataset(
      values: [Float](repeating: 0.5, count: 32), labels: [0, 1], sampleShape: [1, 4, 4],
      classNames: ["left", "right"])
    let look = NetworkLook(
      model,
      weights: [
        "fc.weight": HostTensor([2, 16], weights), "fc.bias": HostTensor(repeating: 0, [2]),
      ], data: try TrainingData(set), objective: Classification(), seed: 0,
      on: try TestDevices.open("cpu"))
    let picture = try look.maximalInputs()
    #expect(picture.layer == "fc" && picture.caption.hasPrefix("2 of 2 units"))
    // Two tiles of 28 pixels, one apart.
    let sheet = picture.sheet
    #expect(sheet.width == 57 && sheet.height == 28 && sheet.channels == 1)
    for (x, level) in [(2, 255), (26, 0), (31, 0), (55, 255)] {
      #expect(abs(Int(sheet.pixels[14 * 57 + x]) - level) <= 2, "\(x)")
    }
  }
}
