import Foundation

/// What machines are called.
package enum HostName {
  /// This machine's name; `localhost` where the system gives none.
  package static var own: String {
    var bytes = [UInt8](repeating: 0, count: 256)
    let isKnown =
      bytes.withUnsafeMutableBytes {
        gethostname($0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count - 1)
      } == 0
    let name = String(decoding: bytes.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
    return isKnown && !name.isEmpty ? name : "localhost"
  }
}
