import Foundation
import Tern
import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime
import TernTestSupport
import Testing

@testable import TernFormats

/// Layers of Caffe's, against numbers computed by hand.
@Suite struct CaffeLayerTests {
  private func output(
    _ layers: String, _ input: HostTensor, weights: [String: [Float]] = [:], on device: String
  ) throws -> HostTensor {
    let text = CaffeFixture.net(Array(input.shape.dimensions.dropFirst()), layers)
    let model = try CaffeFixture.model(text)
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(
      model.inferenceGraph(batchSize: input.shape[0]).graph)
    for (name, values) in weights {
      try session.write([name: HostTensor(session.variableType(name)!.shape, values)])
    }
    return try executable.run(["images": input])[model.outputs[0]]!
  }

  /// The last window may reach beyond the border; zeros around the input count, what is beyond does not.
  @Test(arguments: TestDevices.ids)
  func averagesReachBeyondTheBorder(device: String) throws {
    for (extent, kernel, stride, pad) in [(6, 3, 2, 0), (7, 3, 2, 1), (5, 2, 2, 0), (8, 3, 3, 1)] {
      let x = Experiment.draw("x", [2, 1, extent, extent])
      var count = Int((Double(extent + 2 * pad - kernel) / Double(stride)).rounded(.up)) + 1
      if pad > 0, (count - 1) * stride >= extent + pad { count -= 1 }
      var expected: [Float] = []
      for picture in 0..<2 {
        for row in 0..<count {
          for column in 0..<count {
            let (top, left) = (row * stride - pad, column * stride - pad)
            let (bottom, right) = (
              min(top + kernel, extent + pad), min(left + kernel, extent + pad)
            )
            var sum: Float = 0
            for y in max(top, 0)..<min(bottom, extent) {
              for x0 in max(left, 0)..<min(right, extent) {
                sum += x.floats[(picture * extent + y) * extent + x0]
              }
            }
            expected.append(sum / Float((bottom - top) * (right - left)))
          }
        }
      }
      let got = try output(
        "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' "
          + "pooling_param { pool: AVE kernel_size: \(kernel) stride: \(stride) pad: \(pad) } }", x,
        on: device)
      #expect(got.shape == [2, 1, count, count])
      #expect(areClose(got.floats, expected, tolerance: 1e-5))
    }
  }

  @Test(arguments: TestDevices.ids)
  func neighboursWithinAChannelNormalize(device: String) throws {
    let x = Experiment.draw("x", [1, 2, 4, 4])
    let (alpha, beta) = (Float(0.5), Float(0.75))
    let expected = (0..<32).map { index -> Float in
      let (plane, row, column) = (index / 16, index / 4 % 4, index % 4)
      var sum: Float = 0
      for y in max(row - 1, 0)...min(row + 1, 3) {
        for c in max(column - 1, 0)...min(column + 1, 3) {
          let value = x.floats[plane * 16 + y * 4 + c]
          sum += value * value
        }
      }
      return x.floats[index] * pow(1 + alpha * sum / 9, -beta)
    }
    let got = try output(
      "layer { name: 'n' type: 'LRN' bottom: 'data' top: 'n' lrn_param { local_size: 3 "
        + "alpha: \(alpha) beta: \(beta) norm_region: WITHIN_CHANNEL } }", x, on: device)
    #expect(areClose(got.floats, expected, tolerance: 1e-5))
  }

  @Test(arguments: TestDevices.ids)
  func blocksOfResidualNetsCompute(device: String) throws {
    let x = Experiment.draw("x", [2, 2, 1, 2])
    let got = try output(
      """
      layer { name: "bn" type: "BatchNorm" bottom: "data" top: "bn" batch_norm_param { eps: 0 } }
      layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
      layer { name: "sum" type: "Eltwise" bottom: "bn" bottom: "data" top: "sum"
        eltwise_param { operation: SUM coeff: 1 coeff: -2 } }
      """, x,
      weights: [
        "bn.running_mean": [1, 2], "bn.running_var": [4, 0.25], "scale.weight": [3, 5],
        "scale.bias": [0.5, -0.5],
      ], on: device)
    let expected = x.floats.enumerated().map { index, value -> Float in
      index / 2 % 2 == 0
        ? (value - 1) / 2 * 3 + 0.5 - 2 * value : (value - 2) / 0.5 * 5 - 0.5 - 2 * value
    }
    #expect(areClose(got.floats, expected, tolerance: 1e-4))
  }

  @Test func fillersStartParameters() throws {
    func initializer(_ filler: String) throws -> Initializer {
      let model = try CaffeFixture.model(
        CaffeFixture.net(
          [6, 4, 4],
          "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param "
            + "{ num_output: 8 kernel_size: 2 weight_filler { \(filler) } } }"))
      return try model.inferenceGraph(batchSize: 1).context.parameters[0].initializer
    }
    #expect(try initializer("type: 'constant' value: 3") == .constant(3))
    #expect(try initializer("type: 'gaussian' std: 0.5") == .normal(deviation: 0.5))
    #expect(
      try initializer("type: 'gaussian' std: 0.5 sparse: 2")
        == .sparseNormal(deviation: 0.5, part: 0.25))
    #expect(try initializer("type: 'uniform' min: -2 max: 2") == .uniform(bound: 2))
    #expect(try initializer("type: 'xavier'") == .uniform(bound: Float(3.0 / 24).squareRoot()))
    #expect(
      try initializer("type: 'msra' variance_norm: FAN_OUT")
        == .normal(deviation: Float(2.0 / 32).squareRoot()))
  }

  /// A net with a loss of its own, what is measured of it for a batch, and the gradient of the first input.
  private func losses(
    _ layers: String, _ input: HostTensor, labels: [Int32], on device: String
  ) throws -> [String: Float] {
    let dims = Array(input.shape.dimensions.dropFirst())
    let text = CaffeFixture.net(dims, layers).replacing(
      "top: \"data\" input", with: "top: \"data\" top: \"label\" input"
    )
    .replacing("type: \"Input\"", with: "type: \"MemoryData\"")
    let model = try CaffeFixture.model(text, Shape(dims))
    #expect(model.task == .ownLosses(ofNumbers: false) && model.isGenerative)
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    var targets: Tensor?
    context.labels = {
      if let targets { return targets }
      let made = try builder.input(Field.targetsName, TensorType([labels.count], .int32))
      targets = made
      return made
    }
    _ = try model.forward(
      model.appendInputs(to: builder, batchSize: labels.count), in: context)
    for loss in context.losses { builder.output(loss.name, loss.value) }
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(builder.graph)
    var given = [Field.samplesName: input]
    if targets != nil { given[Field.targetsName] = HostTensor([labels.count], labels) }
    return try executable.run(given).mapValues { $0.floats[0] }
  }

  @Test(arguments: TestDevices.ids)
  func lossesAreThoseOfTheirFormulas(device: String) throws {
    let x = Experiment.draw("x", [3, 4])
    let rows = (0..<3).map { row in x.floats[4 * row..<4 * row + 4].map(Double.init) }
    let labels: [Int32] = [1, 0, 1]
    let split =
      "layer { name: 's' type: 'Slice' bottom: 'data' top: 'a' top: 'b' slice_param { slice_point: 2 } }\n"
    let got = try losses(
      split + """
        layer { name: 'e' type: 'EuclideanLoss' bottom: 'a' bottom: 'b' top: 'e' loss_weight: 0 }
        layer { name: 'c' type: 'ContrastiveLoss' bottom: 'a' bottom: 'b' bottom: 'label' top: 'c'
          contrastive_loss_param { margin: 1.5 } }
        layer { name: 'h' type: 'HingeLoss' bottom: 'data' bottom: 'label' top: 'h' }
        layer { name: 'k' type: 'HingeLoss' bottom: 'data' bottom: 'label' top: 'k'
          hinge_loss_param { norm: L2 } }
        layer { name: 'p' type: 'Sigmoid' bottom: 'b' top: 'p' }
        layer { name: 'x' type: 'SigmoidCrossEntropyLoss' bottom: 'a' bottom: 'p' top: 'x' }
        layer { name: 'm' type: 'SoftmaxWithLoss' bottom: 'data' bottom: 'label' top: 'm' }
        """, x, labels: labels, on: device)
    func mean(_ body: ([Double], Int) -> Double) -> Float {
      Float(zip(rows, labels).reduce(0) { $0 + body($1.0, Int($1.1)) } / 3)
    }
    func distance(_ row: [Double]) -> Double {
      (pow(row[0] - row[2], 2) + pow(row[1] - row[3], 2)).squareRoot()
    }
    func margin(_ row: [Double], _ label: Int, _ power: Double) -> Double {
      row.enumerated().reduce(0) {
        $0 + pow(max(0, 1 - ($1.offset == label ? 1 : -1) * $1.element), power)
      }
    }
    let expected: [String: Float] = [
      "e": mean { row, _ in pow(distance(row), 2) / 2 },
      "c": mean { row, label in
        (label == 1 ? pow(distance(row), 2) : pow(max(1.5 - distance(row), 0), 2)) / 2
      },
      "h": mean { margin($0, $1, 1) }, "k": mean { margin($0, $1, 2) },
      "x": mean { row, _ in
        zip(row[..<2], row[2...]).reduce(0) { sum, pair in
          let target = 1 / (1 + exp(-pair.1))
          return sum + log(1 + exp(pair.0)) - target * pair.0
        }
      },
      "m": mean { row, label in log(row.reduce(0) { $0 + exp($1) }) - row[label] },
    ]
    #expect(Set(got.keys) == Set(expected.keys))
    for (name, value) in expected {
      #expect(
        abs(got[name]! - value) < 1e-4 * max(1, abs(value)), "\(name): \(got[name]!), \(value)")
    }
  }
}
