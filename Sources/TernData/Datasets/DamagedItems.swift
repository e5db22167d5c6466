import Synchronization
import TernCore

/// Files that cannot be read, found by trying all of them once, so that a set without them has the
/// same samples from the first step to the last.
struct DamagedItems {
  /// By the place of the item.
  let faults: [Int: String]
  let count: Int

  /// Named in full up to here; beyond, counted.
  static let namedLimit = 10

  static func find(_ paths: [String], read: @Sendable (String) throws -> Void) -> DamagedItems {
    find(paths.count) { try read(paths[$0]) }
  }

  static func find(_ count: Int, read: @Sendable (Int) throws -> Void) -> DamagedItems {
    let faults = Mutex([Int: String]())
    BackgroundThread.concurrently(count, name: "tern-pictures") { index in
      do { try read(index) } catch { faults.withLock { $0[index] = "\(error)" } }
    }
    return DamagedItems(faults: faults.withLock { $0 }, count: count)
  }

  /// A line for each, and how many they are.
  var notes: [String] {
    Self.notes(
      faults.sorted { $0.key < $1.key }.prefix(Self.namedLimit).map(\.value), faults.count,
      of: "\(count) pictures")
  }

  /// - Parameters:
  ///   - faults: the first of them, a line each.
  ///   - count: how many there are.
  ///   - all: what they are some of.
  static func notes(_ faults: [String], _ count: Int, of all: String) -> [String] {
    guard count > 0 else { return [] }
    return faults.prefix(namedLimit).map { "skipped: \($0)" } + [
      "skipped \(count) of \(all), which cannot be read"
    ]
  }
}
