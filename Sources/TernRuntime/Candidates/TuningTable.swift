import Foundation
import Synchronization
import TernCore

/// Which of several implementations runs a problem on one device: names of what was measured fastest,
/// by the problem's description. Kept in a file of its own for every device, driver and version.
package final class TuningTable: Sendable {
  private let file: (directory: CacheDirectory, name: String)?
  private let identity: Identity
  private let entries: Mutex<[String: Entry]>
  /// What this process has found.
  private let own = Mutex<[String: Entry]>([:])
  private let forced = Mutex<[String: String]>([:])

  /// What results hold for.
  package struct Identity: Hashable, Sendable {
    let device: String
    let driver: String
    /// What kernels the device runs, on how many threads.
    let architecture: String
    /// The devices for which a table may be shipped that was measured on one of them; empty where there
    /// are no others.
    let family: String
    let version: String

    package init(
      device: String, driver: String, architecture: String, family: String = "",
      version: String = TernRelease.version
    ) {
      (self.device, self.driver) = (device, driver)
      (self.architecture, self.family, self.version) = (architecture, family, version)
    }

    fileprivate var members: [(name: String, value: String)] {
      [
        ("device", device), ("driver", driver), ("architecture", architecture),
        ("version", version),
      ]
    }

    fileprivate var familyMembers: [(name: String, value: String)] {
      [("architecture", architecture), ("family", family), ("version", version)]
    }
  }

  package struct Entry: Hashable, Sendable {
    package let implementation: String
    /// The least time measured, in seconds.
    package let seconds: Double
    /// Whether every candidate was measured; where not, a better one may be found.
    package let isComplete: Bool

    package init(implementation: String, seconds: Double, isComplete: Bool = true) {
      self.implementation = implementation
      self.seconds = seconds
      self.isComplete = isComplete
    }
  }

  private static let maximumByteCount = 16 << 20

  /// Reads what is there. A file that cannot be understood is reported by `warn` and ignored.
  ///
  /// - Parameters:
  ///   - directory: where the user's results are, and new ones go.
  ///   - systemDirectories: where packages may have put results, the most important first. The
  ///     user's go before them.
  package init(
    _ directory: CacheDirectory?, _ identity: Identity, systemDirectories: [CacheDirectory] = [],
    warn: (String) -> Void
  ) {
    self.identity = identity
    let key = identity.members.map(\.value).joined(separator: "\n")
    let name = "tuning-\(hexadecimal(FNV1a.hash64(key.utf8))).json"
    file = directory.map { ($0, name) }
    var found: [String: Entry] = [:]
    func read(
      _ name: String, _ directory: CacheDirectory, _ members: [(name: String, value: String)]
    ) {
      guard let data = directory.read(name, maximumByteCount: Self.maximumByteCount) else { return }
      do {
        try found.merge(Self.entries(data, members)) { $1 }
      } catch {
        warn(
          "\(directory.path)/\(name): ignored, not a tuning database; 'tern tune' writes a new one")
      }
    }
    // What was measured on the device itself goes before what was on its like.
    if let name = Self.shippedName(identity) {
      for directory in systemDirectories.reversed() {
        read(name, directory, identity.familyMembers)
      }
    }
    for directory in systemDirectories.reversed() + [directory].compactMap({ $0 }) {
      read(name, directory, identity.members)
    }
    entries = Mutex(found)
  }

  /// The name of a table for devices like this one, as packages may ship it: `tuning-many-threads-sm_86.json`.
  package static func shippedName(_ identity: Identity) -> String? {
    guard !identity.family.isEmpty else { return nil }
    let words = [identity.architecture, identity.family].map { text in
      text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? "\($0)" : "-" }.joined()
    }
    return "tuning-\(words.joined(separator: "-")).json"
  }

  private struct Malformed: Error {}

  private static func entries(_ data: Data, _ identity: [(name: String, value: String)]) throws
    -> [String: Entry]
  {
    let json = try JSON(parsing: String(decoding: data, as: UTF8.self))
    guard identity.allSatisfy({ json[$0.name]?.stringValue == $0.value }),
      case .object(let members)? = json["results"]
    else { throw Malformed() }
    return try Dictionary(
      members.map { member in
        guard let name = member.value["implementation"]?.stringValue,
          let seconds = member.value["seconds"]?.doubleValue,
          case .bool(let isComplete)? = member.value["complete"] ?? .bool(true)
        else { throw Malformed() }
        return (
          member.name, Entry(implementation: name, seconds: seconds, isComplete: isComplete)
        )
      }, uniquingKeysWith: { $1 })
  }

  /// The implementation to take; one that this version does not know is no more than a hint.
  package subscript(problem: String) -> String? {
    forced.withLock { $0[problem] } ?? entries.withLock { $0[problem]?.implementation }
  }

  package func entry(_ problem: String) -> Entry? { entries.withLock { $0[problem] } }

  package var count: Int { entries.withLock { $0.count } }

  /// Where results are kept; `nil` where they are not.
  package var path: String? { file.map { "\($0.directory.path)/\($0.name)" } }

  /// Records what was found and writes the file, with what other processes have found meanwhile.
  package func record(_ problem: String, _ entry: Entry) throws {
    entries.withLock { $0[problem] = entry }
    let own = own.withLock { own in
      own[problem] = entry
      return own
    }
    guard let file else { return }
    try file.directory.update(file.name) {
      let data = file.directory.read(file.name, maximumByteCount: Self.maximumByteCount)
      let others = data.flatMap { try? Self.entries($0, identity.members) } ?? [:]
      // A search that was cut short is worth less than a whole one.
      let all = others.merging(own) { $0.isComplete && !$1.isComplete ? $0 : $1 }
      entries.withLock { $0.merge(others) { own, _ in own } }
      return Data((json(all).description + "\n").utf8)
    }
  }

  private func json(_ entries: [String: Entry]) -> JSON {
    JSON.object(
      identity.members.map { JSON.Member(name: $0.name, value: .string($0.value)) } + [
        JSON.Member(name: "family", value: .string(identity.family)),
        JSON.Member(
          name: "results",
          value: .object(
            entries.sorted { $0.key < $1.key }.map { name, entry in
              JSON.Member(
                name: name,
                value: .object([
                  "implementation": .string(entry.implementation),
                  "seconds": .double(entry.seconds), "complete": .bool(entry.isComplete),
                ]))
            })),
      ])
  }

  /// Lets a problem be run by an implementation for the time being: what the tuner measures.
  package func force(_ problem: String, _ implementation: String?) {
    forced.withLock { $0[problem] = implementation }
  }
}
