import Foundation
import Tern
import Testing

@Suite struct SafetensorsTests {
  private let file = Safetensors(
    tensors: [
      "b": HostTensor([2, 2], [Float(1), -2, .infinity, 0.5]),
      "a": HostTensor([3], [Int32(1), 2, -3]),
      "scalar": HostTensor([], [Float(7)]),
    ], metadata: ["who": "Tern \"quoted\""])

  private func read(_ data: Data) throws -> Safetensors {
    let path = NSTemporaryDirectory() + "tern-\(UUID().uuidString).safetensors"
    try data.write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try Safetensors(contentsOf: path)
  }

  @Test func whatIsWrittenIsRead() throws {
    let data = try file.encoded()
    let copy = try read(data)
    #expect(copy.tensors == file.tensors)
    #expect(copy.metadata == file.metadata)
    #expect(try file.encoded() == data)
  }

  @Test func everyTruncationIsRefused() throws {
    let data = try file.encoded()
    for count in 0..<data.count {
      let error = #expect(throws: TernError.self) { try read(data.prefix(count)) }
      #expect(error?.kind == .badData)
    }
    #expect(throws: TernError.self) { try read(data + Data([0])) }
  }

  private func withHeader(_ json: String, bodyByteCount: Int) -> Data {
    var data = Data()
    withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian) { data.append(contentsOf: $0) }
    return data + Data(json.utf8) + Data(repeating: 0, count: bodyByteCount)
  }

  @Test func lyingHeadersAreRefused() {
    let headers = [
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
      #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
      #"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#,
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[true,2],"data_offsets":[0,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[2,1e30],"data_offsets":[0,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[2,99999999999999999999],"data_offsets":[0,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[false,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
      #"{"a":{"dtype":"F32","shape":[1]}}"#, #"[1, 2]"#, #"{"a":"#,
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
    ]
    for header in headers {
      let error = #expect(throws: TernError.self) { try read(withHeader(header, bodyByteCount: 8)) }
      #expect(error?.kind == .badData, "\(header)")
    }
  }

  /// Of a file with tensors that nobody needs, the others are read.
  @Test func whatCannotBeReadIsLeftOutAndSaid() throws {
    let header = #"""
      {"b":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]},"u":{"dtype":"U8","shape":[1],"data_offsets":[3,4]},
      "big":{"dtype":"I64","shape":[1],"data_offsets":[4,12]},"n":{"dtype":"NEW","shape":[5],"data_offsets":[12,14]},
      "w":{"dtype":"F32","shape":[1],"data_offsets":[14,18]}}
      """#
    var data = withHeader(header, bodyByteCount: 4)
    withUnsafeBytes(of: (Int64(1) << 40).littleEndian) { data.append(contentsOf: $0) }
    data += Data(repeating: 0, count: 6)
    let file = try read(data)
    #expect(file.tensors.keys.sorted() == ["w"])
    #expect(file.unread.keys.sorted() == ["b", "big", "n", "u"])
    #expect(file.unreadNote?.contains("4 tensors: b has the unsupported type BOOL") == true)
    let wanted = #expect(throws: TernError.self) { try file.tensor("big", in: "f") }
    #expect(wanted?.message == "f: big holds 1099511627776, which does not fit 32 bits")
    #expect(try file.tensor("w", in: "f").floats == [0])
  }

  @Test func halfAndDoublePrecisionAreWidened() throws {
    let header =
      #"{"d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"h":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},"t":{"dtype":"BF16","shape":[1],"data_offsets":[14,16]}}"#
    var data = withHeader(header, bodyByteCount: 0)
    withUnsafeBytes(of: (0.5).bitPattern.littleEndian) { data.append(contentsOf: $0) }
    for bits: UInt16 in [0x3C00, 0xC000, 0x0001, 0x3F80] {
      withUnsafeBytes(of: bits.littleEndian) { data.append(contentsOf: $0) }
    }
    let copy = try read(data)
    #expect(copy.tensors["d"]!.floats == [0.5])
    #expect(copy.tensors["h"]!.floats == [1, -2, 0x1p-24])
    #expect(copy.tensors["t"]!.floats == [1])
  }
}
