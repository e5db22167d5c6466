import Foundation
import Tern
import TernTestSupport
import Testing

/// Training as a whole, by one body on every device.
@Suite struct TrainingTests {
  private static let devices = TestDevices.ids

  /// A small network with everything that has state: batch normalisation, dropout, momentum.
  private func model() -> Model {
    Model(
      name: "small", inputShape: [1, 8, 8], classCount: 3,
      layers: Sequential {
        Conv2D(4, kernel: 3, padding: 1).named("conv")
        BatchNorm2D().named("norm")
        Functional.relu.named("relu")
        Functional.maxPool2D(2).named("pool")
        Functional.flatten.named("flatten")
        Dropout(0.3).named("drop")
        Linear(3).named("fc")
      })
  }

  private func batch(_ index: Int, size: Int = 6) -> (images: HostTensor, labels: HostTensor) {
    let generator = Philox(seed: 5, stream: .data)
    return (
      HostTensor([size, 1, 8, 8], generator.normals(size * 64, UInt32(index))),
      HostTensor([size], (0..<size).map { Int32(($0 + index) % 3) })
    )
  }

  private func train(_ session: Session, _ step: Executable, from first: Int, to last: Int) throws
    -> [Float]
  {
    try (first..<last).map { index in
      let (images, labels) = batch(index)
      return try step.run([
        "images": images, "targets": labels, "learning_rate": HostTensor([], [Float(0.05)]),
        "step": HostTensor([], [Int32(index + 1)]),
      ])["loss"]!.floats[0]
    }
  }

  private func start(_ device: any Device) throws -> (Session, Executable) {
    let graph = try TrainingGraph(
      model: model(), batchSize: 6, update: .init(.sgd(momentum: 0.9), clipNorm: 5), seed: 1)
    let session = Session(device: device)
    let step = try session.compile(graph.graph)
    try session.write(try model().initialValues(seed: 1))
    return (session, step)
  }

  private func variables(_ session: Session) throws -> [String: HostTensor] {
    Dictionary(uniqueKeysWithValues: try session.variableNames.map { ($0, try session.read($0)) })
  }

  @Test(arguments: devices) func lossFallsOnOneBatch(device: String) throws {
    let (_, step) = try start(DeviceCatalog.standard.open(device))
    let (images, labels) = batch(0)
    let losses = try (0..<60).map { index in
      try step.run([
        "images": images, "targets": labels, "learning_rate": HostTensor([], [Float(0.05)]),
        "step": HostTensor([], [Int32(index + 1)]),
      ])["loss"]!.floats[0]
    }
    #expect(losses.last! < 0.5 * losses[0])
  }

  @Test(arguments: devices) func sameSeedSameBits(device: String) throws {
    let results = try (0..<2).map { _ in
      let (session, step) = try start(DeviceCatalog.standard.open(device))
      _ = try train(session, step, from: 0, to: 8)
      return try variables(session)
    }
    #expect(results[0] == results[1])
  }

  @Test(arguments: devices) func goingOnFromStoredVariablesGivesTheSameBits(device: String) throws {
    let device = try DeviceCatalog.standard.open(device)
    let (whole, wholeStep) = try start(device)
    _ = try train(whole, wholeStep, from: 0, to: 8)
    let (first, firstStep) = try start(device)
    _ = try train(first, firstStep, from: 0, to: 3)
    let (second, secondStep) = try start(device)
    try second.write(try variables(first))
    _ = try train(second, secondStep, from: 3, to: 8)
    #expect(try variables(second) == variables(whole))
  }

  @Test(arguments: devices) func stepsAllocateNothing(device: String) throws {
    let device = try DeviceCatalog.standard.open(device)
    let (session, step) = try start(device)
    _ = try train(session, step, from: 0, to: 1)
    let count = device.allocationCount
    #expect(count > 0)
    _ = try train(session, step, from: 1, to: 5)
    #expect(device.allocationCount == count)
  }

  @Test func devicesAgree() throws {
    let losses = try Self.devices.map { id in
      let (session, step) = try start(DeviceCatalog.standard.open(id))
      return try train(session, step, from: 0, to: 5)
    }
    for other in losses.dropFirst() {
      for (got, expected) in zip(other, losses[0]) {
        #expect(abs(got - expected) <= 1e-4 * abs(expected))
      }
    }
  }
}
