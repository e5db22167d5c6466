import Foundation
import TernCore
import TernData

/// What a set of samples is known by, wherever it lies and however its place is spelled.
///
/// Classes, shapes, labels, numbers to be predicted and the values of tables are compared exactly, and of
/// pictures the names and sizes of all files, or all bytes where they are held in memory. What pictures in
/// files show is compared by the means of some of them: processors differ in the last bits of what they
/// decode and resize.
struct DataFingerprint: Equatable {
  private let digest: String
  private let means: [Double]
  /// Of the traits of all pictures; `nil` in what earlier versions wrote, and where there are none.
  private let traits: String?

  /// As many values are read as take no time beside compiling a network.
  private static let valueCount = 2 << 20
  private static let pictureCount = 64
  private static let tolerance = 1e-3

  init(_ set: any Dataset) {
    var digest = SHA256()
    digest.update(set.count)
    digest.update("\(set.sampleShape) \(set.targetShape)")
    for name in set.classNames { digest.update(name) }
    let summary = set.summary
    if let summary {
      digest.update(summary)
    } else if set.targetShape.rank == 0 {
      let labels = (0..<set.count).map { set.label($0).littleEndian }
      labels.withUnsafeBytes { digest.update($0) }
    } else if set.hasNumericTargets {
      // One that cannot be read is found where it is trained on.
      let numbers = (0..<set.count).flatMap { (try? set.numbers($0)) ?? [] }
      numbers.withUnsafeBytes { digest.update($0) }
    }
    let elementCount = max(set.sampleShape.elementCount, 1)
    let read = min(
      summary == nil ? set.count : set.statisticsCount, max(Self.valueCount / elementCount, 1),
      set.isPictures ? Self.pictureCount : .max)
    let scale = ChannelScale.identity(for: set)
    var sample = [Float](repeating: 0, count: elementCount)
    var means: [Double] = []
    for number in 0..<read {
      let index =
        summary == nil
        ? number * set.count / read
        : set.statisticsSample(number * set.statisticsCount / read)
      let isRead = sample.withUnsafeMutableBufferPointer {
        (try? set.copySample(index, to: $0.baseAddress!, scale: scale)) != nil
      }
      for (number, field) in set.otherFields.enumerated() {
        var value = [UInt8](repeating: 0, count: field.type.byteCount)
        value.withUnsafeMutableBytes {
          try? set.copyField(number, of: index, to: $0.baseAddress!)
        }
        digest.update(value)
      }
      if set.isPictures {
        let sum = isRead ? sample.reduce(0.0) { $0 + Double($1) } : -Double(elementCount)
        means.append(sum / Double(elementCount))
      } else if isRead {
        sample.withUnsafeBytes { digest.update($0) }
      }
    }
    self.digest = digest.hexadecimal
    self.means = means
    traits = set.isPictures && summary == nil ? Self.traits(of: set) : nil
  }

  /// A sum over all samples that a change of any of them changes; quick, for there may be millions.
  private static func traits(of set: any Dataset) -> String? {
    var hash: UInt64 = 0
    var byteCount = 0
    for index in 0..<set.count {
      let bytes = set.traits(index)
      byteCount += bytes.count
      bytes.withUnsafeBytes { bytes in
        for start in stride(from: 0, to: bytes.count, by: 8) {
          var word: UInt64 = 0
          withUnsafeMutableBytes(of: &word) {
            $0.copyMemory(
              from: UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 8, bytes.count)]))
          }
          // Each step can be undone, so that no two words have one result.
          hash = (hash ^ word.littleEndian) &* 0x9E37_79B9_7F4A_7C15
          hash ^= hash >> 29
        }
      }
    }
    return byteCount == 0 ? nil : String(hash, radix: 16)
  }

  /// Reads what ``text`` wrote.
  init?(_ text: String) {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard (2...3).contains(words.count) else { return nil }
    digest = String(words[0])
    traits = words.count == 3 ? String(words[2]) : nil
    means = words[1].split(separator: ",").compactMap { Double($0) }
  }

  var text: String {
    digest + " " + means.map { String(format: "%.6f", $0) }.joined(separator: ",")
      + (traits.map { " " + $0 } ?? "")
  }

  static func == (a: DataFingerprint, b: DataFingerprint) -> Bool {
    a.digest == b.digest && (a.traits == nil || b.traits == nil || a.traits == b.traits)
      && a.means.count == b.means.count
      && zip(a.means, b.means).allSatisfy { abs($0 - $1) <= tolerance }
  }
}

extension TrainingData {
  /// The fingerprints of the sets that decide what a run computes, as a checkpoint keeps them.
  var fingerprint: String {
    ([training] + [validation].compactMap { $0 }).map { DataFingerprint($0).text }
      .joined(separator: "; ")
  }

  /// Whether a fingerprint that a checkpoint keeps is this data's.
  static func isSame(_ first: String, _ second: String) -> Bool {
    func sets(_ text: String) -> [DataFingerprint?] {
      text.components(separatedBy: "; ").map { DataFingerprint($0) }
    }
    return sets(first) == sets(second)
  }
}
