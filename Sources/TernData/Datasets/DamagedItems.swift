import Synchronization
import TernCore

/// Files that cannot be read, found by trying all of them once, so that a set without them has the
/// same samples from the first step to the last.
struct DamagedItems {
  /// By the place of the item.
  let faults: [Int: String]
  let count: Int

  /// Named in full up to here; beyond, counted.
  private static let namedLimit = 10

  static func find(_ paths: [String], read: @Sendable (String) throws -> Void) -> DamagedItems {
    let faults = Mutex([Int: String]())
    BackgroundThread.concurrently(paths.count, name: "tern-pictures") { index in
      do { try read(paths[index]) } catch {
        faults.withLock { $0[index] = "\(error)" }
      }
    }
    return DamagedItems(faults: faults.withLock { $0 }, count: paths.count)
  }

  /// A line for each, and how many they are.
  var notes: [String] {
    guard !faults.isEmpty else { return [] }
    let named = faults.sorted { $0.key < $1.key }.prefix(Self.namedLimit)
    return named.map { "skipped: \($0.value)" } + [
      "skipped \(faults.count) of \(count) pictures, which cannot be read"
    ]
  }
}
