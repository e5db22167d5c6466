import TernBuild

/// What this executable was built from.
enum Build {
  /// The commit; `nil` where the build was not told (`TERN_COMMIT`, which `make` sets).
  static let commit: String? = {
    let text = String(cString: tern_commit())
    return text.isEmpty ? nil : text
  }()
}
