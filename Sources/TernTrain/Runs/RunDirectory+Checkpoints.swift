import Foundation
import TernCore

// The checkpoints of a run:
//
// checkpoints/step-N        one checkpoint
// checkpoints/last          a link to the newest
// checkpoints/best          a link to the best by the monitored metric
// checkpoints/history.jsonl an epoch per line, of which a checkpoint counts the first ones
//
// `last` and `best` are links to folders that were complete before the link was made, so a run
// killed at any moment leaves the old checkpoint or the new one. A copy of a run may have folders in
// their place. Other things in the folder are not the run's, and stay.

extension RunDirectory {
  private static let links = ["last", "best"]

  /// The folder of a checkpoint: `last` or `best`.
  public func checkpointPath(_ name: String) -> String { file("checkpoints/\(name)") }
  var historyPath: String { checkpointPath(Checkpoint.historyFile) }

  /// Saves a checkpoint as `last`, and as `best` too where it is that.
  public func save(_ checkpoint: Checkpoint, isBest: Bool) throws {
    let name = "step-\(checkpoint.progress.step)"
    let before = linkedNames
    let temporary = checkpointPath(".\(name).\(Self.suffix)")
    try createDirectory(checkpointPath(""))
    guard temporary.withFilePath({ mkdir($0, 0o777) }) == 0 else {
      throw failure(temporary, "cannot create the folder")
    }
    do { try checkpoint.write(toDirectory: temporary) } catch {
      remove(temporary)
      throw error
    }
    // One of the same step may be there, and may be what the links lead to.
    var target = name
    if FileSystem.exists(checkpointPath(name)) { target = "\(name).\(Self.suffix)" }
    guard rename(temporary, to: checkpointPath(target)) else {
      let error = failure(checkpointPath(target), "cannot be created")
      remove(temporary)
      throw error
    }
    AtomicFile.synchronizeDirectory(file("checkpoints"))
    // In this order: a run killed between the two goes on before this checkpoint and links both.
    if isBest { try link("best", to: target) }
    try link("last", to: target)
    keep()
    for name in before.subtracting(linkedNames) { remove(checkpointPath(name)) }
  }

  /// The newest checkpoint, or `nil` where none was written yet.
  public func lastCheckpoint() throws -> Checkpoint? {
    let path = checkpointPath("last")
    if target(of: "last") == nil, !FileSystem.exists(path) { return nil }
    guard FileSystem.exists(path) else {
      throw TernError(.badData, "\(path): the checkpoint it leads to is gone")
    }
    return try Checkpoint(contentsOf: path)
  }

  /// Removes what a process left behind that was killed while it saved.
  func removeLeftovers() {
    let newest = target(of: "last").flatMap(Self.step) ?? -1
    for name in FileSystem.names(in: file("checkpoints")) ?? [] {
      let isUnfinished = name.hasPrefix(".step-") && Self.step(String(name.dropFirst())) != nil
      // A checkpoint is linked once it is complete, so that one without a link is the newer one.
      let isUnlinked =
        Self.step(name).map { $0 > newest } ?? false && !linkedNames.contains(name)
      if isUnfinished || isUnlinked { remove(checkpointPath(name)) }
    }
    for folder in [path, file("checkpoints")] {
      for name in FileSystem.names(in: folder) ?? []
      where name.hasPrefix(AtomicFile.temporaryPrefix) {
        _ = "\(folder)/\(name)".withFilePath { unlink($0) }
      }
    }
  }

  /// What makes a name that nobody else has.
  private static var suffix: String {
    let digits = String(UInt64.random(in: 0 ... .max), radix: 36)
    return String(repeating: "0", count: suffixLength - digits.count) + digits
  }
  private static let suffixLength = 13

  /// The step in the name of a checkpoint: `step-7`, `step-7.0a1b2c3d4e5f6`; `nil` for any other name.
  private static func step(_ name: String) -> Int? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts[0].hasPrefix("step-"),
      parts.dropFirst().allSatisfy({
        $0.utf8.count == suffixLength
      })
    else { return nil }
    let digits = parts[0].dropFirst("step-".count)
    return digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      ? Int(digits) : nil
  }

  /// The checkpoints that `last` and `best` lead to.
  private var linkedNames: Set<String> {
    Set(Self.links.compactMap { target(of: $0) }.filter { Self.step($0) != nil })
  }

  private func target(of link: String) -> String? {
    FileSystem.linkTarget(checkpointPath(link))
  }

  private func link(_ name: String, to target: String) throws {
    let (path, temporary) = (checkpointPath(name), checkpointPath(".\(name).\(Self.suffix)"))
    guard temporary.withFilePath({ symlink(target, $0) }) == 0 else {
      throw failure(path, "cannot be written")
    }
    if !rename(temporary, to: path) {
      // A copy of a run has a folder there: the link and the folder change places at once.
      let isExchanged = FileSystem.exchange(temporary, path)
      guard isExchanged || (rename(path, to: "\(temporary).old") && rename(temporary, to: path))
      else {
        let error = failure(path, "cannot be written")
        _ = temporary.withFilePath { unlink($0) }
        throw error
      }
      remove(isExchanged ? temporary : "\(temporary).old")
    }
    AtomicFile.synchronizeDirectory(file("checkpoints"))
  }

  private func rename(_ old: String, to new: String) -> Bool {
    old.withFilePath { old in new.withFilePath { Foundation.rename(old, $0) } } == 0
  }

  /// Removes the folder of a checkpoint, unless it holds what no checkpoint does.
  private func remove(_ path: String) {
    let names = FileSystem.names(in: path) ?? []
    guard names.allSatisfy({ Checkpoint.isFile($0) || $0.hasPrefix(AtomicFile.temporaryPrefix) })
    else { return }
    for name in names { _ = "\(path)/\(name)".withFilePath { unlink($0) } }
    _ = path.withFilePath { rmdir($0) }
  }

  private func failure(_ path: String, _ what: String) -> TernError {
    TernError(.cannotWrite, "\(path): \(what): \(String(cString: strerror(errno)))")
  }
}
