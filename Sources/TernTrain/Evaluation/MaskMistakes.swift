/// The classes found for the pixels of a batch, of which the worst pictures are kept.
struct MaskMistakes: Sendable {
  /// A picture with the classes found for its pixels.
  struct Sample: Sendable {
    /// The sample's place in its set.
    let index: Int
    /// The part of the pixels that were mistaken, of those that count.
    let mistakenPart: Double
    /// [H, W]; 255 where a pixel does not count.
    let classes: [UInt8]
  }

  /// How many pictures are kept.
  private static let keptCount = 8

  private let pixelCount: Int
  private var classes: [UInt8]
  private var counted: [Int]
  private var mistaken: [Int]

  init(sampleCount: Int, pixelCount: Int) {
    self.pixelCount = pixelCount
    classes = [UInt8](repeating: 255, count: sampleCount * pixelCount)
    counted = [Int](repeating: 0, count: sampleCount)
    mistaken = counted
  }

  /// - Parameter position: of the pixel in the batch [N, H, W].
  mutating func add(_ position: Int, prediction: Int, label: Int) {
    classes[position] = UInt8(truncatingIfNeeded: prediction)
    counted[position / pixelCount] += 1
    if prediction != label { mistaken[position / pixelCount] += 1 }
  }

  /// The worst pictures of the batch and of those before it.
  ///
  /// - Parameter firstSample: the place of the batch's first sample in its set.
  func worst(with others: [Sample], firstSample: Int) -> [Sample] {
    let own = mistaken.indices.filter { mistaken[$0] > 0 }.map { row in
      (row: row, part: Double(mistaken[row]) / Double(counted[row]))
    }.sorted { ($1.part, $0.row) < ($0.part, $1.row) }.prefix(Self.keptCount).map { row, part in
      Sample(
        index: firstSample + row, mistakenPart: part,
        classes: Array(classes[row * pixelCount..<(row + 1) * pixelCount]))
    }
    let all = (others + own).sorted { ($1.mistakenPart, $0.index) < ($0.mistakenPart, $1.index) }
    return Array(all.prefix(Self.keptCount))
  }
}
