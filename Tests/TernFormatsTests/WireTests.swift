import Foundation
import TernData
import Testing

@testable import TernFormats

/// Protocol Buffers' wire format, as the reader takes it and the writer gives it.
@Suite struct WireTests {
  @Test func whatIsWrittenIsRead() throws {
    var writer = WireWriter()
    writer.int(1, -3)
    writer.float(2, 1.5)
    writer.double(3, 0.1)
    writer.string(4, "Gewicht ü")
    writer.ints(5, [1, 300, -1])
    let fields = try WireSlice(writer.data).fields(WireBudget())
    #expect(fields.map(\.number) == [1, 2, 3, 4, 5])
    guard case .varint(let integer) = fields[0].value, case .fixed32(let float) = fields[1].value,
      case .fixed64(let double) = fields[2].value, case .bytes(let text) = fields[3].value,
      case .bytes(let packed) = fields[4].value
    else {
      Issue.record("other kinds of fields: \(fields)")
      return
    }
    #expect(Int64(bitPattern: integer) == -3)
    #expect(Float(bitPattern: float) == 1.5)
    #expect(Double(bitPattern: double) == 0.1)
    #expect(text.text == "Gewicht ü")
    #expect(try packed.packedVarints(WireBudget()) == [1, 300, -1])
  }

  /// A length that goes beyond the end, a number of eleven bytes, kinds that are not defined.
  @Test(
    arguments: [
      [0x0A, 0x05, 0x01], [0x08, 0x80], [0x0D, 0x01], [0x09, 0x01], [0x0B], [0x07], [0x00],
      [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
      [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    ] as [[UInt8]])
  func damagedBytesAreFaults(bytes: [UInt8]) {
    #expect(throws: WireFault.self) { try WireSlice(Data(bytes)).fields(WireBudget()) }
  }

  @Test func fieldsAreCounted() {
    let data = Data([UInt8](repeating: 0x08, count: 200))
    #expect(throws: WireFault.self) { try WireSlice(data).fields(WireBudget(99)) }
    #expect(throws: Never.self) { try WireSlice(data).fields(WireBudget(100)) }
  }
}
