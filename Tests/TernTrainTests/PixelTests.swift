import Foundation
import Tern
import TernTestSupport
import Testing

@testable import TernData
@testable import TernTrain

/// Pictures that go to the device as bytes: the same numbers there, the same weights at the end.
@Suite struct PixelTests {
  private static let pictures: InMemoryDataset = {
    let generator = Philox(seed: 3, stream: .data)
    let noise = generator.normals(22 * 3 * 64, 0)
    return InMemoryDataset(
      pixels: noise.map { UInt8(min(255, max(0, 128 + 60 * $0))) },
      labels: (0..<22).map { UInt8($0 % 3) }, sampleShape: [3, 8, 8], classNames: ["a", "b", "c"])
  }()

  @Test(arguments: TestDevices.ids) func everyByteIsLookedUp(device: String) throws {
    for shape in [[2, 3, 8, 8], [2, 3, 5, 7], [3, 2], [1, 1, 256]] as [Shape] {
      let builder = GraphBuilder()
      let channels = shape[1]
      let bytes = (0..<shape.elementCount).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
      let table = (0..<256 * channels).map { Float($0).squareRoot() - 7 }
      let pixels = try builder.input("pixels", TensorType(shape, .uint8))
      builder.output(
        "y", try pixels.pixelValues(builder.constant(HostTensor([channels, 256], table))))
      let plane = shape.elementCount / (shape[0] * channels)
      let expected = bytes.enumerated().map { table[$0 / plane % channels * 256 + Int($1)] }
      for fuses in [true, false] {
        let session = Session(device: try TestDevices.open(device))
        session.fuses = fuses
        let y = try session.compile(builder.graph).run(["pixels": HostTensor(shape, bytes)])["y"]!
        #expect(y.floats == expected, "\(shape)")
      }
    }
  }

  /// What the table says of the bytes of a batch is what a batch of floats has, to the bit.
  @Test(arguments: ["none", "crop:2,flip,vflip"]) func theNumbersAreTheSame(augment: String) throws
  {
    let data = Self.pictures
    let normalization = try Normalization("auto", statisticsOf: data)
    let augmentation = try Augmentation(augment).prepared(for: data)
    let table = try #require(PixelTable(data, normalization, augmentation))
    func loader(_ storesBytes: Bool) -> BatchLoader {
      BatchLoader(
        data, batchSize: 8, normalization: normalization, shuffle: (5, 2),
        augmentation: (augmentation, 5, 2), storesBytes: storesBytes)
    }
    let (floats, bytes) = (loader(false), loader(true))
    var count = 0
    while let expected = try floats.next() {
      let got = try #require(try bytes.next())
      let numbers = Array(expected.samples.bindMemory(to: Float.self))
      let looked = got.samples.enumerated().map {
        table.values[$0 / 64 % 3 * 256 + Int($1)]
      }
      #expect(numbers == looked)
      #expect(got.samples.count * 4 == expected.samples.count)
      #expect(Array(got.targets) == Array(expected.targets))
      count += got.count
    }
    #expect(count == data.count)
  }

  /// Samples that do not stay bytes are handed over as floats.
  @Test(arguments: ["rotate:10", "mixup", "flip,erase"]) func whatChangesNumbersHasNoTable(
    augment: String
  ) throws {
    let augmentation = try Augmentation(augment).prepared(for: Self.pictures)
    let normalization = try Normalization("none", statisticsOf: Self.pictures)
    #expect(PixelTable(Self.pictures, normalization, augmentation) == nil)
    let numbers = ValueDataset(
      values: [0, 1, 2, 3], labels: [0], sampleShape: [1, 2, 2], classNames: ["a"])
    #expect(PixelTable(numbers, try Normalization("none", statisticsOf: numbers)) == nil)
  }

  @Test(arguments: TestDevices.ids) func aRunEndsWithTheSameWeights(device: String) throws {
    let model = Model(
      name: "small", inputShape: [3, 8, 8], classCount: 3,
      layers: Sequential {
        Conv2D(4, kernel: 3).named("conv")
        Functional.relu.named("relu")
        Functional.flatten.named("flatten")
        Linear(3).named("fc")
      })
    func outcome(uploadsBytes: Bool) throws -> (weights: HostTensor, loss: Double) {
      var options = TrainingLoop.Options(batchSize: 8, learningRate: 0.05)
      options.uploadsBytes = uploadsBytes
      let data = TrainingData(
        training: Self.pictures, test: Self.pictures,
        normalization: try Normalization("auto", statisticsOf: Self.pictures))
      let loop = try TrainingLoop(
        model, data: data, on: TestDevices.open(device), options: options)
      try loop.initialize()
      for _ in 0..<2 { try loop.trainEpoch() }
      return (try loop.session.read("conv.weight"), try loop.evaluate().loss)
    }
    let (floats, bytes) = (try outcome(uploadsBytes: false), try outcome(uploadsBytes: true))
    #expect(bytes.weights == floats.weights)
    #expect(bytes.loss == floats.loss)
  }
}
