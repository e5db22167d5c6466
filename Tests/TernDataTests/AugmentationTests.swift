import TernCore
import TernData
import Testing

@Suite struct AugmentationTests {
  /// Twelve colour pictures [3, 8, 10].
  private let pictures = InMemoryDataset(
    pixels: (0..<12 * 240).map { UInt8(truncatingIfNeeded: $0 &* 37 / 5 ^ $0 / 80) },
    labels: (0..<12).map { UInt8($0 % 3) }, sampleShape: [3, 8, 10], classNames: ["a", "b", "c"])
  private let plain = Normalization(means: [0, 0, 0], deviations: [1, 1, 1])

  private func images(
    _ text: String, epoch: Int = 0, seed: UInt64 = 7, workers: Int = 1, batchSize: Int = 2,
    normalization: Normalization? = nil
  ) throws -> [Float] {
    let augmentation = try Augmentation(text).prepared(for: pictures)
    return try batches(
      BatchLoader(
        pictures, batchSize: batchSize, normalization: normalization ?? plain,
        augmentation: (augmentation, seed, epoch), workers: workers)
    ).flatMap(\.images)
  }

  private static let all =
    "resized-crop,flip,vflip,crop:2,rotate:20,scale:0.2,hsv,fancy-pca,erase:0.9"

  @Test(arguments: ["flip", "crop:3", "rotate", "hsv", "erase:1", all])
  func whatIsDrawnDependsOnSeedEpochAndSampleAlone(text: String) throws {
    let first = try images(text)
    #expect(try images(text, workers: 4) == first)
    #expect(try images(text, workers: 3, batchSize: 5) == first)
    #expect(try images(text, epoch: 1) != first)
    #expect(try images(text, seed: 8) != first)
    #expect(try images("none") != first)
    // The samples of one class are not all changed alike, and values stay where pictures are.
    #expect(first.allSatisfy { $0 >= 0 && $0 <= 1.0001 })
  }

  @Test func flipsMirror() throws {
    let (original, flipped) = (try images("none"), try images("flip:1"))
    let vertical = try images("vflip:1")
    for row in 0..<12 * 3 * 8 {
      let range = row * 10..<(row + 1) * 10
      #expect(Array(flipped[range]) == original[range].reversed())
      let mirror = row / 8 * 8 + 7 - row % 8
      #expect(Array(vertical[range]) == Array(original[mirror * 10..<(mirror + 1) * 10]))
    }
    #expect(try images("flip:0") == original)
  }

  @Test func aPaddedCropShiftsAndFillsWithBlack() throws {
    let (original, cropped) = (try images("none"), try images("crop:2"))
    var shifts: Set<[Int]> = []
    for sample in 0..<12 {
      func plane(_ values: [Float], _ y: Int, _ x: Int) -> Float {
        y >= 0 && y < 8 && x >= 0 && x < 10 ? values[sample * 240 + y * 10 + x] : 0
      }
      let fitting = (-2...2).flatMap { dy in (-2...2).map { [dy, $0] } }.filter { shift in
        (0..<80).allSatisfy { i in
          plane(cropped, i / 10, i % 10) == plane(original, i / 10 + shift[0], i % 10 + shift[1])
        }
      }
      #expect(fitting.count == 1)
      shifts.formUnion(fitting)
    }
    #expect(shifts.count > 4)
  }

  @Test func nothingMovesByNothing() throws {
    let original = try images("none")
    for text in ["rotate:0", "scale:0", "resized-crop:1"] {
      let changed = try images(text)
      if text == "resized-crop:1" {
        #expect(changed.count == original.count)
      } else {
        #expect(zip(original, changed).allSatisfy { abs($0 - $1) < 1e-5 }, "\(text)")
      }
    }
  }

  @Test func erasingLeavesTheRestAsItIs() throws {
    let (original, erased) = (try images("none"), try images("erase:1"))
    let changed = zip(original, erased).count { $0 != $1 }
    #expect(changed > 0)
    // At most a third of the area, and rounding.
    #expect(changed < original.count * 2 / 5)
  }

  /// In hue, saturation and value: all pixels of a picture turn by the same hue, at most by 0.1; value, and
  /// saturation, keep the order of the pixels, being powers, multiples and sums.
  @Test func colourJitterTurnsHuesAlike() throws {
    let (original, jittered) = (try images("none"), try images("hsv"))
    func colour(_ values: [Float], _ picture: Int, _ pixel: Int) -> (h: Float, s: Float, v: Float) {
      let c = (0..<3).map { values[(picture * 3 + $0) * 80 + pixel] }
      let (low, high) = (c.min()!, c.max()!)
      let spread = high - low
      guard spread > 0 else { return (.nan, 0, high) }
      let hue =
        high == c[0]
        ? (c[1] - c[2]) / spread
        : high == c[1] ? 2 + (c[2] - c[0]) / spread : 4 + (c[0] - c[1]) / spread
      return ((hue / 6).truncatingRemainder(dividingBy: 1), spread / high, high)
    }
    var turns: [Float] = []
    for picture in 0..<12 {
      var own: [Float] = []
      var pairs: [(v: (Float, Float), s: (Float, Float))] = []
      for pixel in 0..<80 {
        let (a, b) = (colour(original, picture, pixel), colour(jittered, picture, pixel))
        pairs.append(((a.v, b.v), (a.s, b.s)))
        guard a.s > 0.1, b.s > 0.1, a.v > 0.1, b.v > 0.1 else { continue }
        let turn = b.h - a.h
        own.append(turn - turn.rounded())
      }
      #expect((own.max() ?? 0) - (own.min() ?? 0) < 2e-3, "picture \(picture): \(own)")
      #expect(own.allSatisfy { abs($0) <= 0.1 + 1e-3 })
      turns += own.prefix(1)
      for order in [pairs.map(\.v), pairs.map(\.s)] {
        let sorted = order.sorted { $0.0 < $1.0 }
        #expect(
          zip(sorted, sorted.dropFirst()).allSatisfy { $1.1 >= $0.1 - 2e-3 }, "picture \(picture)")
      }
    }
    #expect(turns.count > 6 && Set(turns).count == turns.count, "each picture by another: \(turns)")
  }

  @Test func fancyPCAShiftsAllPixelsOfAChannelAlike() throws {
    let (original, shifted) = (try images("none"), try images("fancy-pca:0.5"))
    for plane in 0..<36 {
      let range = plane * 80..<(plane + 1) * 80
      let inner = range.filter { shifted[$0] > 0 && shifted[$0] < 1 }
      let differences = inner.map { shifted[$0] - original[$0] }
      #expect((differences.max() ?? 0) - (differences.min() ?? 0) < 1e-5)
    }
    #expect(original != shifted)
  }

  @Test func normalizationComesAfter() throws {
    let given = Normalization(means: [0.5, 0.25, 0], deviations: [0.5, 2, 1])
    let (raw, scaled) = (try images("flip,crop:1"), try images("flip,crop:1", normalization: given))
    for i in raw.indices {
      let channel = i / 80 % 3
      let expected = (raw[i] - Float(given.means[channel])) / Float(given.deviations[channel])
      #expect(abs(scaled[i] - expected) < 1e-5)
    }
  }

  /// The classes of pixels go where the pixels go, and what comes in does not count.
  @Test func masksAreMovedAsPicturesAre() throws {
    let pixels = (0..<6 * 80).map { UInt8(truncatingIfNeeded: ($0 &* 37 + $0 / 80) % 4) }
    let set = SegmentationDataset(
      pixels: pixels.map { 50 + 50 * $0 }, masks: pixels, sampleShape: [1, 8, 10],
      classNames: ["a", "b", "c", "d"])
    let loader = BatchLoader(
      set, batchSize: 6, normalization: Normalization(means: [0], deviations: [1]),
      augmentation: (try Augmentation("flip,crop:3,vflip").prepared(for: set), 5, 0))
    defer { loader.cancel() }
    let batch = try #require(try loader.next())
    let targets = batch.targets.bindMemory(to: Int32.self)
    for (value, target) in zip(batch.samples.bindMemory(to: Float.self), targets) {
      let pixel = Int32((value * 255).rounded())
      #expect(target == (pixel == 0 ? -100 : (pixel - 50) / 50))
    }
    #expect(targets.contains(-100) && targets.contains(3))
    #expect(throws: TernError.self) { try Augmentation("rotate").prepared(for: set) }
  }

  @Test func wrongListsAreRefused() throws {
    for (text, message) in [
      ("flop", "augment: unknown 'flop'; did you mean 'flip'?"),
      ("cifra", "augment: unknown 'cifra'; did you mean 'cifar'?"),
      ("flip:2", "augment: flip takes a probability, got '2'"),
      ("crop:1.5", "augment: crop takes a whole number of pixels, got '1.5'"),
      ("crop:x", "augment: crop takes a whole number of pixels, got 'x'"),
      ("rotate:200", "augment: rotate takes degrees, 0 to 180, got '200'"),
      ("hsv:2", "augment: hsv takes a strength, 0 to 1, got '2'"),
      ("none,flip", "augment: expected a list such as flip,crop:4, or none alone, got 'none,flip'"),
      ("flip,", "augment: expected a list such as flip,crop:4, or none alone, got 'flip,'"),
      ("flip,resized-crop", "augment: resized-crop has to come first"),
    ] {
      let error = #expect(throws: TernError.self) { try Augmentation(text) }
      #expect(error?.message == message)
      #expect(error?.kind == .usage)
    }
    let grey = InMemoryDataset.numbered
    let vectors = ValueDataset(
      values: [1, 2, 3, 4], labels: [0, 1], sampleShape: [2], classNames: ["a", "b"])
    for (text, set, message) in [
      ("hsv", grey as any Dataset, "augment: hsv needs three colours, the pictures have 1"),
      ("crop:4", grey, "augment: a crop padded by 4 leaves nothing of 3×4 pixels"),
      ("flip", vectors, "augment: the samples are vectors of [2], not pictures"),
    ] {
      let error = #expect(throws: TernError.self) { try Augmentation(text).prepared(for: set) }
      #expect(error?.message == message)
    }
    for preset in Augmentation.presets.keys {
      #expect(try !Augmentation(preset).isEmpty)
    }
  }
}
