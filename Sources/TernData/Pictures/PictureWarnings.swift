import Synchronization

/// Pictures of which libjpeg made the best: each is counted once, however often it is decoded.
package enum PictureWarnings {
  private struct State {
    var paths: Set<String> = []
    var first: String?
    var announce: (@Sendable (String) -> Void)?
  }

  private static let state = Mutex(State())
  /// More paths are not remembered, and may be counted again.
  private static let limit = 1 << 16

  /// Calls `announce` with one line at the first such picture.
  package static func announceFirst(_ announce: @escaping @Sendable (String) -> Void) {
    state.withLock { $0.announce = announce }
  }

  /// How many pictures were read although there was something wrong with them; `nil` where that was
  /// one or none, which has been said.
  package static var summary: String? {
    state.withLock {
      $0.paths.count > 1
        ? "\($0.paths.count) pictures were read although they are damaged; the first was \($0.first!)"
        : nil
    }
  }

  static func add(_ warning: String, of path: String) {
    let (line, announce) = state.withLock { state -> (String?, (@Sendable (String) -> Void)?) in
      if state.paths.count < limit { state.paths.insert(path) }
      guard state.first == nil else { return (nil, nil) }
      state.first = path
      return ("\(path): read although it is damaged: \(warning)", state.announce)
    }
    if let line { announce?(line) }
  }
}
