import Foundation
import Tern
import TernTestSupport
import Testing

/// The model files that come with Tern train on every device.
@Suite struct ExampleModelTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Benchmarks/models").path

  static let names: [String] = {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return entries.filter { $0.hasSuffix(".yaml") }.sorted()
  }()

  @Test func theyAreThere() {
    for name in ["fashion-cnn", "resnet", "inception", "unet", "transformer"] {
      #expect(Self.names.contains("\(name).yaml"))
    }
  }

  /// A training step from the same weights has the same loss everywhere, and so has the next one.
  @Test(arguments: names) func aStepIsTheSameOnAllDevices(name: String) throws {
    let model = try ModelFile.read(Self.folder + "/" + name)
    let count = 1
    let shape = Shape([count] + model.inputShape.dimensions)
    let images = HostTensor(shape, Philox(seed: 5, stream: .data).normals(shape.elementCount))
    var losses: [String: [Float]] = [:]
    for device in TestDevices.ids {
      let graph = try TrainingGraph(
        model: model, objective: try model.objective(), pass: .only, batchSize: count,
        update: .init(.sgd()), seed: 1)
      let session = Session(device: try TestDevices.open(device))
      let step = try session.compile(graph.graph)
      for parameter in graph.parameters {
        try session.write([
          parameter.name: parameter.initializer.value(
            parameter.shape, name: parameter.name, seed: 1)
        ])
      }
      let targetShape: Shape =
        model.task == .segmentation ? Shape([count] + model.inputShape.dropFirst()) : [count]
      let targets = (0..<targetShape.elementCount).map { Int32($0 % model.classCount) }
      losses[device] = try (1...(device == "reference" ? 1 : 2)).map { number in
        try step.run([
          "images": images, "targets": HostTensor(targetShape, targets),
          "learning_rate": HostTensor([], [Float(0.001)]), "step": HostTensor([], [Int32(number)]),
        ])["loss"]!.floats[0]
      }
    }
    let (reference, cpu) = (losses["reference"]!, losses["cpu"]!)
    #expect(cpu.allSatisfy(\.isFinite) && cpu[0] != cpu[1])
    for device in TestDevices.ids {
      // The reference is slow: it does the first step alone.
      for (own, expected) in zip(losses[device]!, [reference[0], cpu[1]]) {
        #expect(abs(own - expected) <= 1e-4 * abs(expected), "\(device): \(own), \(expected)")
      }
    }
  }
}
