import Foundation
import TernCore

/// A small file that is damaged in every way in turn: cut at every length, and with bits flipped in every byte.
package enum DamagedFile {
  /// Tries a reader on each damaged file: it has to read what it can, or to say in one line that the data is bad.
  ///
  /// - Parameters:
  ///   - path: where each damaged file is written.
  ///   - needed: files cut below this length have to be refused.
  ///   - masks: the bits that are flipped, one mask after another.
  ///   - step: 1 for every length and byte; readers that take long are tried on every so manieth.
  /// - Returns: what the reader did otherwise, a line each.
  package static func faults(
    of bytes: [UInt8], at path: String, needed: Int = 0, masks: [UInt8] = [0x01, 0x80, 0xFF],
    step: Int = 1, read: () throws -> Void
  ) throws -> [String] {
    var faults: [String] = []
    func attempt(_ damaged: [UInt8], _ what: String, mustFail: Bool = false) throws {
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      do {
        try read()
        if mustFail { faults.append("\(what): read") }
      } catch let error as TernError {
        if error.kind != .badData || error.message.contains("\n") {
          faults.append("\(what): \(error.kind): \(error.message)")
        }
      } catch { faults.append("\(what): \(error)") }
    }
    for length in stride(from: 0, to: bytes.count, by: step) {
      try attempt(Array(bytes[..<length]), "\(length) bytes", mustFail: length < needed)
    }
    for index in stride(from: 0, to: bytes.count, by: step) {
      for mask in masks {
        var damaged = bytes
        damaged[index] ^= mask
        try attempt(damaged, "byte \(index) ^ \(mask)")
      }
    }
    return faults
  }
}
