import Foundation
import Synchronization
import TernCore

/// Samples that lie one behind another in files, and are read from front to back.
protocol DatasetOfRuns: Dataset {
  /// The same samples in two parts: of each run, so large a part is in the second.
  func holdingOut(_ part: Double) -> (first: any Dataset, second: any Dataset)
}

/// Which samples of each run belong to a set: all, or where a part of each is held out for testing, these or
/// the others.
struct RunPart: Sendable {
  enum Kind: Sendable {
    case all
    case rest(Double)
    case held(Double)
  }

  /// How many of each run belong to it.
  let counts: [Int]
  private let kind: Kind
  /// Where each run begins among the set's samples, and the end of the last.
  private let starts: [Int]
  private let lengths: [Int]

  init(_ lengths: [Int], _ kind: Kind = .all) {
    (self.lengths, self.kind) = (lengths, kind)
    counts = lengths.map { Self.count(before: $0, kind) }
    starts = counts.reduce(into: [0]) { $0.append($0.last! + $1) }
  }

  var count: Int { starts.last! }

  /// How many of a run's first samples belong to it.
  private static func count(before index: Int, _ kind: Kind) -> Int {
    switch kind {
    case .all: index
    case .rest(let part): index - Int(Double(index) * part)
    case .held(let part): Int(Double(index) * part)
    }
  }

  /// The run of a sample, and its place there.
  func place(of index: Int) -> (run: Int, sample: Int) {
    let run = starts.dropLast().isEmpty ? 0 : starts.lastIndex(startingAtOrBefore: index)
    let number = index - starts[run]
    if case .all = kind { return (run, number) }
    var (low, high) = (0, lengths[run] - 1)
    // The first sample with more than `number` of this part up to it.
    while low < high {
      let middle = (low + high) / 2
      if Self.count(before: middle + 1, kind) > number { high = middle } else { low = middle + 1 }
    }
    return (run, low)
  }

  /// Samples from which statistics are taken: the first pieces of some runs, which are quickly at hand.
  func statisticsSample(_ number: Int, of chosen: Int) -> Int {
    let pieces = (chosen + SampleWindows.pieceSize - 1) / SampleWindows.pieceSize
    guard pieces <= counts.count else { return number * count / chosen }
    let run = number / SampleWindows.pieceSize * counts.count / pieces
    return min(starts[run] + number % SampleWindows.pieceSize, count - 1)
  }
}

/// Samples of runs that cannot be read and are left out: only the others are counted.
struct DamagedSamples: Sendable {
  /// By their places among all samples of a run, in order.
  let places: [[Int]]

  func isDamaged(_ place: Int, of run: Int) -> Bool {
    let places = places[run]
    let index = places.count(before: { $0 < place })
    return index < places.count && places[index] == place
  }

  /// The place among all samples of a run of one that is counted without the damaged.
  func place(of number: Int, in run: Int) -> Int {
    let places = places[run]
    // So many damaged ones come before it: as many as have at most `number` readable ones before them.
    var (low, high) = (0, places.count)
    while low < high {
      let middle = (low + high) / 2
      if places[middle] - middle <= number { low = middle + 1 } else { high = middle }
    }
    return number + low
  }
}

extension Array {
  /// How many elements come before the first that does not fulfil a condition, which those before all do.
  fileprivate func count(before isBefore: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// The blocks of runs that were read last.
final class BlockCache<Block: Sendable>: Sendable {
  struct Key: Hashable {
    let run: Int
    let block: Int
  }

  private struct State {
    /// The one used last is at the end.
    var blocks: [(key: Key, block: Block, byteCount: Int)] = []
    var byteCount = 0
  }

  private let state = Mutex(State())
  /// As many as three windows have are kept unless they are very large; more while they are small.
  private static var countNeeded: Int { 3 * SampleWindows.runsPerWindow }
  private static var countLimit: Int { 1024 }
  private static var byteLimit: Int { 1 << 28 }
  private static var largestByteLimit: Int { 1 << 30 }

  subscript(key: Key) -> Block? {
    state.withLock { state in
      guard let place = state.blocks.lastIndex(where: { $0.key == key }) else { return nil }
      let found = state.blocks.remove(at: place)
      state.blocks.append(found)
      return found.block
    }
  }

  func insert(_ block: Block, _ key: Key, byteCount: Int) {
    state.withLock { state in
      guard !state.blocks.contains(where: { $0.key == key }) else { return }
      state.blocks.append((key, block, byteCount))
      state.byteCount += byteCount
      func isTooMuch(_ count: Int, _ byteCount: Int) -> Bool {
        if count > Self.countNeeded {
          return count > Self.countLimit || byteCount > Self.byteLimit
        }
        return count > 1 && byteCount > Self.largestByteLimit
      }
      while isTooMuch(state.blocks.count, state.byteCount) {
        state.byteCount -= state.blocks.removeFirst().byteCount
      }
    }
  }
}
