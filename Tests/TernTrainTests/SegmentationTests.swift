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
      let labels = batch.targets.bindMemory(to: Int32.self)
      #expect(labels.count == batch.count * 256)
      let images = batch.samples.bindMemory(to: Float.self)
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
    let weights = try configuration.makeObjectiveSettings(for: set).classWeights
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

  /// The masks of another set, of which each sample ignores more rows than the one before, and those of
  /// `ignored` everything.
  private struct PartlyIgnored: Dataset {
    let base: SegmentationDataset
    var ignored: Set<Int> = []
    var count: Int { base.count }
    var sampleShape: Shape { base.sampleShape }
    var targetType: TensorType { base.targetType }
    var classNames: [String] { base.classNames }
    var isPictures: Bool { base.isPictures }
    func label(_ index: Int) -> Int32 { base.label(index) }
    func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) {
      base.copyTarget(index, to: destination)
      let destination = destination.assumingMemoryBound(to: Int32.self)
      let rows = ignored.contains(index) ? 16 : 2 * index
      for pixel in 0..<min(rows, 16) * 16 { destination[pixel] = -100 }
    }
    func copySample(_ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale)
    {
      base.copySample(index, to: destination, scale: scale)
    }
  }

  private func evaluation(_ set: any Dataset, batchSize: Int, device: String) throws
    -> EvaluationResult
  {
    let session = Session(device: try DeviceCatalog.standard.open(device))
    let model = model()
    let evaluator = try Evaluator(
      session: session, model: model, batchSize: batchSize, sampleCount: set.count)
    try session.write(model.initialValues(seed: 3))
    let loader = BatchLoader(
      set, batchSize: batchSize, normalization: Normalization(means: [0.2], deviations: [0.3]))
    defer { loader.cancel() }
    return try evaluator.evaluate(loader)
  }

  /// Sums and weights are divided once, so that it does not matter how a set is cut.
  @Test(arguments: ["reference", "cpu", "opencl"])
  func theLossDoesNotDependOnTheBatchSize(device: String) throws {
    let set = PartlyIgnored(base: Self.dataset(count: 7), ignored: [1])
    let whole = try evaluation(set, batchSize: 7, device: device)
    for batchSize in device == "cpu" ? [1, 2, 3, 5, 64] : [1, 3] {
      let result = try evaluation(set, batchSize: batchSize, device: device)
      #expect(abs(result.loss - whole.loss) < 1e-5 * whole.loss, "\(batchSize)")
      #expect(result.classification?.loss == result.loss)
      #expect(result.classification?.confusion == whole.classification?.confusion)
    }
    let nothing = PartlyIgnored(base: Self.dataset(count: 2), ignored: [0, 1])
    let error = #expect(throws: TernError.self) {
      try evaluation(nothing, batchSize: 1, device: device)
    }
    #expect(error?.kind == .badData && error?.message.contains("nothing counts") ?? false)
  }

  /// A batch of which nothing counts adds nothing: its loss and gradients are zeros, not NaN.
  @Test(arguments: ["reference", "cpu", "opencl"], [1, 2])
  func batchesOfWhichNothingCounts(device: String, accumulate: Int) throws {
    let set = PartlyIgnored(base: Self.dataset(count: 4), ignored: [0, 3])
    let settings: [String: AttributeValue] = [
      "epochs": .int(2), "batch_size": .int(1), "optimizer": .string("sgd"), "lr": .double(0.1),
      "schedule": .string("constant"), "class_weights": .string("1,0,2"),
      "accumulate": .int(accumulate),
    ]
    var epochs: [TrainingEvent.Epoch] = []
    let trainer = try Trainer(
      configuration: TrainingConfiguration(settings), model: model(),
      data: TrainingData(
        training: set, validation: set, test: set,
        normalization: Normalization(means: [0.2], deviations: [0.3])),
      device: DeviceCatalog.standard.open(device), deviceReason: "test"
    ) { if case .epoch(let epoch) = $0 { epochs.append(epoch) } }
    _ = try trainer.train(writingTo: nil)
    #expect(epochs.count == 2)
    for epoch in epochs {
      #expect(epoch.trainLoss.isFinite && epoch.trainLoss > 0)
      #expect(epoch.test.loss.isFinite && epoch.validation?.loss == epoch.test.loss)
    }
  }

  @Test func anEpochOfWhichNothingCountsIsSaid() throws {
    let set = PartlyIgnored(base: Self.dataset(count: 2), ignored: [0, 1])
    let trainer = try Trainer(
      configuration: TrainingConfiguration(["epochs": .int(1), "batch_size": .int(1)]),
      model: model(),
      data: TrainingData(
        training: set, test: Self.dataset(count: 2),
        normalization: Normalization(means: [0.2], deviations: [0.3])),
      device: DeviceCatalog.standard.open("cpu"), deviceReason: "test", report: { _ in })
    let error = #expect(throws: TernError.self) { try trainer.train(writingTo: nil) }
    #expect(error?.message.contains("nothing counts in epoch 1") ?? false)
  }
}
