import Foundation
import TernCore

/// A sample as Caffe's tools put it into a database.
///
/// Source: the names and numbers of fields are those of BVLC's caffe.proto.
package struct Datum {
  package private(set) var channels = 0
  package private(set) var height = 0
  package private(set) var width = 0
  package private(set) var label = 0
  /// Channel by channel, or where ``isEncoded`` a picture file.
  package private(set) var bytes = WireSlice(Data())
  /// In place of bytes.
  package private(set) var floats: [Float] = []
  package private(set) var isEncoded = false

  /// A sample has no more fields: one for each number.
  private static let fieldLimit = 1 << 22

  /// - Parameters:
  ///   - data: the message; ``bytes`` stay where they are in it.
  ///   - name: what an error calls it.
  package init(_ data: Data, name: String) throws {
    do {
      for (number, value) in try WireSlice(data).fields(WireBudget(Self.fieldLimit)) {
        switch (number, value) {
        case (1, .varint(let count)): channels = Int(Int32(truncatingIfNeeded: count))
        case (2, .varint(let count)): height = Int(Int32(truncatingIfNeeded: count))
        case (3, .varint(let count)): width = Int(Int32(truncatingIfNeeded: count))
        case (4, .bytes(let slice)): bytes = slice
        case (5, .varint(let number)): label = Int(Int32(truncatingIfNeeded: number))
        case (6, .fixed32(let bits)): floats.append(Float(bitPattern: bits))
        case (6, .bytes(let slice)):
          floats += try slice.words(UInt32.self).map { Float(bitPattern: $0) }
        case (7, .varint(let truth)): isEncoded = truth != 0
        case (1...7, _): throw WireFault(description: "field \(number) is of another type")
        default: break
        }
      }
    } catch let fault as WireFault {
      throw TernError(.badData, "\(name): not a Datum of Caffe's: \(fault)")
    }
    guard !isEncoded else {
      guard bytes.byteCount > 0, bytes.byteCount <= Picture.fileSizeLimit else {
        throw TernError(.badData, "\(name): \(bytes.byteCount) bytes of a picture")
      }
      return
    }
    let limits = 1...1 << 20
    let extents = [channels, height, width]
    guard extents.allSatisfy(limits.contains),
      Shape.elementCount(ofExtents: extents)
        == (floats.isEmpty ? bytes.byteCount : floats.count)
    else {
      throw TernError(
        .badData,
        "\(name): \(channels)×\(height)×\(width) where there are "
          + "\(floats.isEmpty ? bytes.byteCount : floats.count) values")
    }
    if let index = floats.firstIndex(where: { !$0.isFinite }) {
      throw TernError(.badData, "\(name): value \(index) is not finite")
    }
  }

  var kind: Kind { isEncoded ? .encoded : floats.isEmpty ? .bytes : .floats }

  enum Kind: String {
    case bytes, floats, encoded
  }

  /// The plane of a file that becomes one of ours: Caffe's pictures have blue first.
  static func plane(_ channel: Int, of channels: Int) -> Int {
    channels == 3 ? channels - 1 - channel : channel
  }
}
