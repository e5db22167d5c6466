import Foundation
import TernCore

/// Writes tar archives, honest and otherwise.
package struct TarFixture {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// Octal digits and a byte 0.
  package static func octal(_ number: Int, _ width: Int) -> [UInt8] {
    let digits = String(number, radix: 8)
    return Array((String(repeating: "0", count: width - 1 - digits.count) + digits).utf8) + [0]
  }

  package static func header(
    _ name: String, _ size: [UInt8], type: Character = "0", prefix: String = "",
    magic: String = "ustar\u{0}00"
  ) -> [UInt8] {
    func field(_ text: String, _ width: Int) -> [UInt8] {
      Array(text.utf8.prefix(width)) + [UInt8](repeating: 0, count: max(width - text.utf8.count, 0))
    }
    var header = field(name, 100) + octal(0o644, 8) + octal(0, 8) + octal(0, 8) + size
    header += octal(0, 12) + field("        ", 8) + [type.asciiValue!] + field("", 100)
    header += field(magic, 8) + field("", 80) + field(prefix, 155)
    header += [UInt8](repeating: 0, count: 512 - header.count)
    let sum = header.reduce(0) { $0 + Int($1) }
    header.replaceSubrange(148..<156, with: octal(sum, 7) + [0x20])
    return header
  }

  private static func filled(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
  }

  package mutating func add(_ header: [UInt8], _ content: [UInt8] = []) {
    bytes += header + Self.filled(content)
  }

  package mutating func add(_ name: String, _ content: [UInt8], prefix: String = "") {
    add(Self.header(name, Self.octal(content.count, 12), prefix: prefix), content)
  }

  /// A name as GNU tar writes it where it is long.
  package mutating func addLong(_ name: String, _ content: [UInt8]) {
    let text = Array(name.utf8) + [0]
    add(Self.header("././@LongLink", Self.octal(text.count, 12), type: "L"), text)
    add(String(name.prefix(100)), content)
  }

  /// A name and a size in an extended header.
  package mutating func addExtended(_ name: String, _ content: [UInt8]) {
    var records = ""
    for record in ["path=\(name)", "size=\(content.count)", "mtime=1.5"] {
      var length = record.utf8.count + 3
      while "\(length)".utf8.count + record.utf8.count + 2 != length { length += 1 }
      records += "\(length) \(record)\n"
    }
    add(
      Self.header("PaxHeaders/x", Self.octal(records.utf8.count, 12), type: "x"),
      Array(records.utf8))
    add(Self.header("short", Self.octal(0, 12)), content)
  }

  /// The archive with its end.
  package var file: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

  /// An array [2] of float32 as NumPy writes it.
  package static func array(_ values: [Float], shape: String? = nil) -> [UInt8] {
    var header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape ?? "(\(values.count),)"), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
  }

  /// Samples that hold their own number, and its class of three.
  package static func numbered(_ numbers: Range<Int>) -> TarFixture {
    var archive = TarFixture()
    for number in numbers {
      archive.add("s/\(number).npy", array([Float(number), 1]))
      archive.add("s/\(number).cls", Array("\(number % 3)\n".utf8))
    }
    return archive
  }
}
