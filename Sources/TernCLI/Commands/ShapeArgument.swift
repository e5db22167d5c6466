import Tern

extension Shape {
  /// Reads what `--input` gives: `C,H,W`.
  init(argument text: String) throws {
    let extents = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard !extents.isEmpty, extents.count <= 3,
      extents.allSatisfy({ ($0 ?? 0) >= 1 && ($0 ?? 0) <= 1 << 20 })
    else {
      throw TernError(.usage, "input: expected C,H,W, got '\(text)'")
    }
    self.init(extents.compactMap(\.self))
  }
}
