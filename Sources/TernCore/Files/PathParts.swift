// The parts of paths, by their bytes. Foundation's own functions end the process for a path of one
// character.

extension String {
  private static let slash = UInt8(ascii: "/")

  /// The path without the slashes at its end, and where its last part begins.
  private var lastPart: (path: Substring, start: String.Index) {
    var end = utf8.endIndex
    while end > utf8.startIndex, utf8[utf8.index(before: end)] == Self.slash {
      end = utf8.index(before: end)
    }
    let path = self[..<end]
    let start = path.utf8.lastIndex(of: Self.slash).map { utf8.index(after: $0) }
    return (path, start ?? utf8.startIndex)
  }

  /// `c.yaml` of `a/b/c.yaml`.
  package var lastPathPart: String {
    let (path, start) = lastPart
    return String(path[start...])
  }

  /// `a/b` of `a/b/c.yaml`; empty for a name alone, `/` for what is in the root.
  package var parentPath: String {
    let (path, start) = lastPart
    var parent = path[..<start]
    while parent.utf8.count > 1, parent.utf8.last == Self.slash { parent = parent.dropLast() }
    if parent.isEmpty, utf8.first == Self.slash { return "/" }
    return String(parent)
  }

  /// `yaml` of `a/b/c.yaml`; empty where there is none.
  package var pathSuffix: String {
    let name = lastPathPart
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot > name.utf8.startIndex else {
      return ""
    }
    return String(name[name.utf8.index(after: dot)...])
  }

  /// `c` of `a/b/c.yaml`.
  package var pathStem: String {
    let name = lastPathPart
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot > name.utf8.startIndex else {
      return name
    }
    return String(name[..<dot])
  }

  /// `a/b/c` of `a/b` and `c`.
  package func appendingPath(_ part: String) -> String {
    guard !isEmpty else { return part }
    let path = lastPart.path
    return "\(path)/\(part)"
  }
}
