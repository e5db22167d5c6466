extension String {
  /// As one word of a command line that a shell reads: in single quotes where it needs them.
  public var shellWord: String {
    let isPlain =
      !isEmpty
      && utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "@%+=:,./-_".utf8.contains(byte)
        }
      }
    // Nothing is special between single quotes but the quote itself.
    return isPlain ? self : "'" + replacing("'", with: "'\\''") + "'"
  }
}
