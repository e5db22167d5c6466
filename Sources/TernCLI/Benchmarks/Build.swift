import Tern
import TernBuild

/// What this executable was built from.
enum Build {
  /// The commit; `nil` where the sources were no git repository.
  static let commit: String? = {
    let text = String(cString: tern_commit())
    return text.isEmpty ? nil : text
  }()

  /// What `tern --version` prints: this release, the commit, and the libraries as they were loaded, a
  /// line each.
  static var text: String {
    let libraries = sequence(state: Int32(0)) { number -> String? in
      let library = tern_library(number)
      guard let name = library.name else { return nil }
      number += 1
      let version = withUnsafeBytes(of: library.version) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      return "\(String(cString: name)) \(version.isEmpty ? "unknown" : version)"
    }
    return (["tern \(TernRelease.version)", "commit \(commit ?? "unknown")"] + libraries)
      .joined(separator: "\n")
  }
}
