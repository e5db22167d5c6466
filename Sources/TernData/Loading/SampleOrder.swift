import TernCore

/// The order of an epoch's samples: the dataset's own, or one that seed and epoch decide.
///
/// Samples that can be fetched in any order are all shuffled at once. Those that lie in runs, one behind
/// another in a file, are shuffled through a window: some runs are drawn, a piece is taken of each, and the
/// samples of these pieces are mixed. So a file is read from front to back, and what is kept does not grow
/// with the number of samples. Which sample comes when depends on nothing but seed and epoch, so an epoch can
/// be taken up at any batch.
///
/// Where an update sums several batches, the runs are dealt out: each of these batches takes its samples from runs of
/// its own, so that a process that computes some of them reads some of the files.
struct SampleOrder: Sendable {
  private enum Kind {
    case own
    case drawn([Int32])
    /// Those of each batch of an update; batches have so many samples.
    case windows([SampleWindows], batchSize: Int)
  }

  private let kind: Kind

  /// - Parameters:
  ///   - shuffle: the seed and the epoch; `nil` keeps the dataset's own order.
  ///   - batchSize: the samples of a batch.
  ///   - batchesPerUpdate: over so many batches runs are dealt out.
  init(
    of dataset: any Dataset, shuffle: (seed: UInt64, epoch: Int)?, batchSize: Int,
    batchesPerUpdate: Int = 1
  ) {
    guard let shuffle else {
      kind = .own
      return
    }
    let draws = Philox(seed: shuffle.seed, stream: .shuffle)
    if let runs = dataset.runs {
      kind = .windows(
        SampleWindows.dealt(
          runs, draws, epoch: UInt32(shuffle.epoch), batchSize: batchSize,
          batchesPerUpdate: batchesPerUpdate),
        batchSize: batchSize)
    } else {
      kind = .drawn(draws.permutation(dataset.count, UInt32(shuffle.epoch)))
    }
  }

  /// Goes along the order; each thread has its own.
  struct Cursor {
    private let kind: Kind
    /// The window that was looked at last.
    private var window: (part: Int, places: Range<Int>, samples: [Int])?

    init(_ order: SampleOrder) { kind = order.kind }

    /// The sample at a place of the epoch.
    mutating func sample(at place: Int) -> Int {
      switch kind {
      case .own: return place
      case .drawn(let order): return Int(order[place])
      case .windows(let parts, let batchSize):
        let (batch, offset) = place.quotientAndRemainder(dividingBy: batchSize)
        let part = batch % parts.count
        let place = batch / parts.count * batchSize + offset
        if let window, window.part == part, window.places.contains(place) {
          return window.samples[place - window.places.lowerBound]
        }
        let next = parts[part].window(at: place)
        window = (part, next.places, next.samples)
        return next.samples[place - next.places.lowerBound]
      }
    }
  }
}

/// The windows of an epoch through which runs of samples are shuffled.
struct SampleWindows: Sendable {
  /// So many runs are mixed with each other, and so many samples of each are in a window.
  static let runsPerWindow = 8
  static let pieceSize = 128

  private let draws: Philox
  private let epoch: UInt32
  /// How many windows of other parts are numbered before these.
  private let windowsBefore: Int
  /// The runs in the order of this epoch.
  private let runs: [Range<Int>]
  /// Where each window begins, and the end of the last.
  private let starts: [Int]
  /// The first run of each window, and which piece of its runs it takes.
  private let contents: [(run: Int32, piece: Int32)]

  /// - Parameter lengths: of the runs, in the order of the samples.
  init(_ lengths: [Int], _ draws: Philox, epoch: UInt32) {
    self.init(
      Self.drawn(lengths, draws, epoch: epoch), windowsBefore: 0, draws, epoch: epoch)
  }

  /// Windows for each of the batches that an update sums: the runs in the order of the epoch, one behind the other,
  /// are cut into as many stretches, each as long as all batches of its place together.
  static func dealt(
    _ lengths: [Int], _ draws: Philox, epoch: UInt32, batchSize: Int, batchesPerUpdate: Int
  ) -> [SampleWindows] {
    var rest = drawn(lengths, draws, epoch: epoch)[...]
    let count = rest.reduce(0) { $0 + $1.count }
    let (fullBatches, lastSize) = count.quotientAndRemainder(dividingBy: batchSize)
    var result: [SampleWindows] = []
    var windowsBefore = 0
    for part in 0..<batchesPerUpdate {
      let full = (fullBatches + batchesPerUpdate - 1 - part) / batchesPerUpdate
      var missing = full * batchSize + (fullBatches % batchesPerUpdate == part ? lastSize : 0)
      var stretch: [Range<Int>] = []
      while missing > 0, let run = rest.popFirst() {
        let own = run.prefix(missing)
        stretch.append(own)
        missing -= own.count
        if own.count < run.count { rest = [own.upperBound..<run.upperBound] + rest }
      }
      result.append(
        SampleWindows(stretch, windowsBefore: windowsBefore, draws, epoch: epoch))
      windowsBefore += result[part].contents.count
    }
    return result
  }

  /// The runs in the order of an epoch.
  private static func drawn(_ lengths: [Int], _ draws: Philox, epoch: UInt32) -> [Range<Int>] {
    var all: [Range<Int>] = []
    for length in lengths {
      let start = all.last?.upperBound ?? 0
      all.append(start..<start + length)
    }
    return draws.permutation(all.count, epoch, 1).map { all[Int($0)] }
  }

  private init(_ runs: [Range<Int>], windowsBefore: Int, _ draws: Philox, epoch: UInt32) {
    (self.draws, self.epoch, self.windowsBefore) = (draws, epoch, windowsBefore)
    var starts = [0]
    var contents: [(run: Int32, piece: Int32)] = []
    for first in stride(from: 0, to: runs.count, by: Self.runsPerWindow) {
      let together = runs[first..<min(first + Self.runsPerWindow, runs.count)]
      let longest = together.map(\.count).max() ?? 0
      for piece in 0..<(longest + Self.pieceSize - 1) / Self.pieceSize {
        let count = together.reduce(0) { $0 + Self.piece(piece, of: $1).count }
        starts.append(starts.last! + count)
        contents.append((Int32(first), Int32(piece)))
      }
    }
    (self.runs, self.starts, self.contents) = (runs, starts, contents)
  }

  private static func piece(_ number: Int, of run: Range<Int>) -> Range<Int> {
    let start = min(run.lowerBound + number * pieceSize, run.upperBound)
    return start..<min(start + pieceSize, run.upperBound)
  }

  /// The window that a place of the epoch is in: its places, and their samples.
  func window(at place: Int) -> (places: Range<Int>, samples: [Int]) {
    let number = starts.lastIndex(startingAtOrBefore: place)
    let (first, piece) = contents[number]
    let together = runs[Int(first)..<min(Int(first) + Self.runsPerWindow, runs.count)]
    let samples = together.flatMap { Self.piece(Int(piece), of: $0) }
    let order = draws.permutation(samples.count, epoch, UInt32(windowsBefore + number) + 2)
    return (starts[number]..<starts[number + 1], order.map { samples[Int($0)] })
  }
}

extension [Int] {
  /// The last of ascending starts that is not beyond `value`, by halving.
  ///
  /// - Precondition: the first is not beyond it.
  func lastIndex(startingAtOrBefore value: Int) -> Int {
    var (low, high) = (0, count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if self[middle] <= value { low = middle } else { high = middle }
    }
    return low
  }
}
