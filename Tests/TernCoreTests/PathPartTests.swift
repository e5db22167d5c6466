import TernCore
import Testing

@Suite struct PathPartTests {
  /// A path, its parent, its last part, what that is called, and its suffix.
  @Test(arguments: [
    ("", "", "", "", ""), ("a", "", "a", "a", ""), ("/", "/", "", "", ""), (".", "", ".", ".", ""),
    ("a/", "", "a", "a", ""), ("/a", "/", "a", "a", ""), ("a/b", "a", "b", "b", ""),
    ("a//b//", "a", "b", "b", ""), ("a/b.yaml", "a", "b.yaml", "b", "yaml"),
    ("x.tar.gz", "", "x.tar.gz", "x.tar", "gz"), (".hidden", "", ".hidden", ".hidden", ""),
    ("a.b/c", "a.b", "c", "c", ""), ("//", "/", "", "", ""), ("é/日.x", "é", "日.x", "日", "x"),
  ])
  func parts(path: String, parent: String, last: String, stem: String, suffix: String) {
    #expect(path.parentPath == parent)
    #expect(path.lastPathPart == last)
    #expect(path.pathStem == stem)
    #expect(path.pathSuffix == suffix)
  }

  @Test(arguments: [("", "b", "b"), ("a", "b", "a/b"), ("a/", "b", "a/b"), ("/", "b", "/b")])
  func joining(path: String, part: String, joined: String) {
    #expect(path.appendingPath(part) == joined)
  }
}
