import Foundation
import Tern
import TernTestSupport
import Testing

/// A class per pixel: data, loss and metrics.
@Suite struct SegmentationTests {
  /// Rectangles (class 1) and discs (class 2) on a noisy ground (class 0), 16×16 pixels.
  private static func dataset(count: Int) -> SegmentationDataset {
    let generator = Philox(seed: 11, stream: .data)
    var (pixels, masks) = ([UInt8](), [UInt8]())
    for index in 0..<count {
      let draws = generator.uniforms(256 + 6, UInt32(index))
      let at = draws.suffix(6).map { Int($0 * 8) }
      for y in 0..<16 {
        for x in 0..<16 {
          let isRectangle = (at[0]..<at[0] + 5).contains(y) && (at[1]..<at[1] + 6).contains(x)
          let (dy, dx) = (y - at[2] - 7, x - at[3] - 5)
          let kind: UInt8 = isRectangle ? 1 : dy * dy + dx * dx <= 8 ? 2 : 0
          masks.append(kind)
          pixels.append([20, 120, 220][Int(kind)] + UInt8(draws[16 * y + x] * 30))
        }
      }
    }
    return SegmentationDataset(
      pixels: pixels, masks: masks, sampleShape: [1, 16, 16],
      classNames: ["ground", "rectangle", "disc"])
  }

  @Test func targetsArriveInBatches() throws {
    let set = Self.dataset(count: 5)
    let loader = BatchLoader(
      set, batchSize: 2, normalization: Normalization(means: [0], deviations: [1]),
      shuffle: (3, 0))
    defer { loader.cancel() }
    var histogram = [Int](repeating: 0, count: 3)
    var pixelCount = 0
    while let batch = try loader.next() {
      let labels = batch.labels.bindMemory(to: Int32.self)
      #expect(labels.count == batch.count * 256)
      let images = batch.images.bindMemory(to: Float.self)
      for (label, pixel) in zip(labels, images) {
        histogram[Int(label)] += 1
        // The ground is dark, a disc is bright: pixels and their classes stay together.
        #expect(Int(pixel * 255 + 0.5) / 100 == Int(label))
      }
      pixelCount += labels.count
    }
    #expect(pixelCount == 5 * 256 && histogram.allSatisfy { $0 > 0 })
  }

  /// By pixels: the ground has most of every picture, and the others count all the more.
  @Test func automaticClassWeightsCountPixels() throws {
    let configuration = try TrainingConfiguration(["class_weights": .string("auto")])
    let set = Self.dataset(count: 6)
    let weights = try configuration.makeLoss(for: set).classWeights
    var counts = [Int](repeating: 0, count: 3)
    for index in 0..<set.count {
      var targets = [Int32](repeating: 0, count: 256)
      targets.withUnsafeMutableBufferPointer { set.copyTarget(index, to: $0.baseAddress!) }
      for target in targets { counts[Int(target)] += 1 }
    }
    #expect(counts.allSatisfy { $0 > 0 })
    for (weight, count) in zip(weights, counts) {
      #expect(abs(weight - Float(6 * 256) / Float(3 * count)) < 1e-5)
    }
  }

  @Test func pixelsAreCounted() {
    var metrics = ClassificationMetrics(classCount: 2)
    // One sample of four pixels; scores of class 0, then of class 1; the last pixel does not count.
    metrics.add(
      logits: [3, 0, 3, 9, 1, 2, 5, 0], labels: [0, 1, 0, -100], loss: 0.5, sampleCount: 1)
    #expect(metrics.sampleCount == 1 && metrics.loss == 0.5)
    #expect(metrics.confusion == [[1, 1], [0, 1]])
    #expect(abs(metrics.accuracy - 2.0 / 3) < 1e-12)
    #expect(metrics.meanIntersectionOverUnion == 0.5)
    #expect(metrics.auc == nil)
  }

  /// An encoder and a decoder with a skip by concatenation.
  private func model() -> Model {
    Model(
      name: "small-unet", inputShape: [1, 16, 16], classCount: 3,
      layers: Sequential {
        Conv2D(8, kernel: 3, padding: 1, initializer: .he).named("down1")
        Functional.relu.named("skip")
        Functional.maxPool2D(2)
        Conv2D(16, kernel: 3, padding: 1, initializer: .he)
        Functional.relu
        ConvTranspose2D(8, kernel: 2, stride: 2).named("up")
        Functional("cat", ["dim": .int(1)]).named("join", from: "up", "skip")
        Conv2D(8, kernel: 3, padding: 1, initializer: .he)
        Functional.relu
        Conv2D(3, kernel: 1).named("head")
      },
      task: .segmentation)
  }

  /// The accuracy of the pixels of eight pictures after learning them by heart.
  private func accuracy(_ model: Model, on device: String, epochs: Int, rate: Double) throws
    -> Double
  {
    let set = Self.dataset(count: 8)
    let settings: [String: AttributeValue] = [
      "epochs": .int(epochs), "batch_size": .int(4), "optimizer": .string("adam"),
      "lr": .double(rate), "schedule": .string("constant"),
    ]
    var last: TrainingEvent.Epoch?
    let trainer = try Trainer(
      configuration: TrainingConfiguration(settings), model: model,
      data: TrainingData(
        training: set, test: set, normalization: Normalization(means: [0.2], deviations: [0.3])),
      device: DeviceCatalog.standard.open(device), deviceReason: "test"
    ) { if case .epoch(let epoch) = $0 { last = epoch } }
    _ = try trainer.train(writingTo: nil)
    return last?.test.accuracy ?? 0
  }

  @Test(arguments: TestDevices.fast) func overfits(device: String) throws {
    let accuracy = try accuracy(model(), on: device, epochs: 60, rate: 0.01)
    #expect(accuracy >= 0.99, "\(accuracy)")
  }

  @Test(arguments: [("unet", 40, 1e-3)])
  func zooNetworksOverfit(name: String, epochs: Int, rate: Double) throws {
    let model = try ZooEntry.named(name).model(inputShape: [1, 16, 16], classCount: 3)
    let accuracy = try accuracy(model, on: "cpu", epochs: epochs, rate: rate)
    #expect(accuracy >= 0.99, "\(accuracy)")
  }

  /// Scores of another extent than the image's are no segmentation.
  @Test func shrunkScoresAreRefused() {
    let model = Model(
      name: "shrinking", inputShape: [1, 16, 16], classCount: 3,
      layers: Sequential { Conv2D(3, kernel: 3) }, task: .segmentation)
    #expect(throws: TernError.self) {
      try EvaluationGraph(model: model, batchSize: 1, objective: try model.objective())
    }
  }
}
