import Foundation
import TernCore
import TernData
import TernTestSupport
import Testing

@testable import TernFormats

/// PyTorch's files of weights; `Tests/format_cases.py` wrote the two that are read.
@Suite struct TorchFileTests {
  private static let folder =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/FormatCases/"

  /// Shared and strided storages, float16, a counter of int64, under `state_dict` beside other things.
  @Test(arguments: ["weights.pt", "weights-legacy.pth"])
  func weightsAreRead(name: String) throws {
    let file = try TorchFile.weights(contentsOf: Self.folder + name).file
    #expect(file.tensors.count == 4)
    #expect(
      file.tensors["module.fc.weight"] == HostTensor([2, 3], [0, 0.25, 0.5, 0.75, 1, 1.25]))
    #expect(
      file.tensors["module.fc.turned"] == HostTensor([3, 2], [0.5, 1.25, 0.75, 1.5, 1, 1.75]))
    #expect(file.tensors["module.fc.bias"] == HostTensor([3], [1, -2.5, 0.333_251_95]))
    #expect(file.tensors["module.bn.num_batches_tracked"] == HostTensor([], [Int32(7)]))
  }

  /// What training programs put beside weights: arguments, counters, sets, numbers of NumPy's, the state of an
  /// optimizer, tensors of types that are not read. The weights lie where no program puts them.
  @Test func checkpointsAreRead() throws {
    let (file, place) = try TorchFile.weights(contentsOf: Self.folder + "checkpoint.pt")
    #expect(place == "teacher")
    #expect(file.tensors["fc.weight"] == HostTensor([2, 3], [0, 0.25, 0.5, 0.75, 1, 1.25]))
    #expect(file.tensors["fc.low"] == HostTensor([2], [1, -2.5]))
    #expect(file.unread["fc.eight"] == "has the unsupported type float8_e4m3fn")
    #expect(file.unread["fc.pair"] == "has the unsupported type ComplexFloatStorage")
    #expect(file.tensors.count == 2 && file.unread.count == 2)
  }

  /// Of dictionaries in dictionaries, those where programs put weights, else the largest.
  @Test func weightsAreFoundWhereverTheyLie() throws {
    /// `key: {names: tensor, …}` in protocol 2; a tensor of one number.
    func dictionary(_ key: String, _ names: [String], _ inner: [UInt8] = []) -> [UInt8] {
      func text(_ text: String) -> [UInt8] { [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }
      let tensor =
        Array("ctorch._utils\n_rebuild_tensor\n((".utf8) + text("storage")
        + Array("ctorch\nFloatStorage\n".utf8) + text("0") + text("cpu") + [0x4B, 1, 0x74, 0x51]
        + [0x4B, 0, 0x4B, 1, 0x85, 0x4B, 1, 0x85, 0x74, 0x52]
      let items = names.flatMap { text($0) + tensor } + inner
      return (key.isEmpty ? [] : text(key)) + Array("}(".utf8) + items + Array("u".utf8)
    }
    func place(_ pickle: [UInt8]) throws -> (names: [String], place: String?) {
      try (pickle + [0x2E]).withUnsafeBytes { bytes in
        var reader = PickleReader(bytes)
        guard case .dictionary(let root) = try reader.value() else { return ([], nil) }
        let found = reader.contents.weights(in: root)
        return (found?.tensors.map(\.0) ?? [], found?.place)
      }
    }
    let alone = try place(dictionary("", ["w", "b"]))
    #expect(alone.names == ["w", "b"] && alone.place == nil)
    let beside = try place(
      dictionary(
        "", ["epoch"], dictionary("model", ["w", "b"]) + dictionary("ema", ["w", "b", "n"])))
    #expect(beside.names == ["w", "b"] && beside.place == nil)
    let deep = try place(
      dictionary("", [], dictionary("model", [], dictionary("state_dict", ["w"]))))
    #expect(deep.names == ["w"] && deep.place == nil)
    let other = try place(
      dictionary("", [], dictionary("student", ["w"]) + dictionary("teacher", ["w", "b"])))
    #expect(other.names == ["w", "b"] && other.place == "teacher")
    let optimizer = try place(
      dictionary("", [], dictionary("optimizer", ["m", "v", "s"]) + dictionary("g", ["w"])))
    #expect(optimizer.names == ["w"])
    #expect(try place(dictionary("", [])).names == [])
  }

  /// Protocols 0 and 1 spell numbers and texts as lines.
  @Test func oldProtocolsAreRead() {
    #expect(
      fault(Array("(dp0\nS'x'\np1\nI5\nsVy\nI01\nsg1\nF2.5\nsL7L\nL99999999999999999999L\ns.".utf8))
        == "read")
    for wrong in ["Ix\n.", "S\n.", "Fx\n.", "g9\n.", "I"] {
      #expect(fault(Array(wrong.utf8)) != "read", "\(wrong)")
    }
  }

  @Test(arguments: ["weights.pt", "weights-legacy.pth", "checkpoint.pt"])
  func damagedFilesAreOneLine(name: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: Self.folder + name))
    let faults = try ONNXFixture.withFile(data) { path in
      try DamagedFile.faults(of: [UInt8](data), at: path, needed: data.count, masks: [0xFF]) {
        _ = try TorchFile.weights(contentsOf: path)
      }
    }
    #expect(faults == [])
  }

  @Test func whatIsWrittenIsRead() throws {
    let tensors = [
      "conv.weight": HostTensor([300, 2, 1, 1], (0..<600).map { Float($0) / 7 }),
      "conv.bias": HostTensor([3], [-.infinity, Float(bitPattern: 7), -0.5]),
      "größe": HostTensor([], [2.5]), "count": HostTensor([2], [Int32.min, 7]),
      "wide": HostTensor([1, 70_000], (0..<70_000).map(Float.init)),
    ]
    let data = try TorchWriter.encoded(tensors)
    try ONNXFixture.withFile(data) { path in
      #expect(TorchFile.isTorch(path))
      let file = try TorchFile.weights(contentsOf: path).file
      #expect(file.tensors == tensors)
      #expect(file.unread.isEmpty)
    }
    // PyTorch maps what starts at multiples of 64.
    let values = tensors["wide"]!.withUnsafeBytes { Data($0) }
    let place = try #require(data.range(of: values)).lowerBound
    #expect(place % 64 == 0)
  }

  private func fault(_ pickle: [UInt8]) -> String {
    do {
      _ = try pickle.withUnsafeBytes { bytes in
        var reader = PickleReader(bytes)
        return try reader.value()
      }
      return "read"
    } catch { return "\(error)" }
  }

  /// `os.system("…")`, as a protocol of 0 and of 4 spell it, and an instruction of old that calls.
  @Test func nothingIsExecuted() {
    #expect(fault(Array("cos\nsystem\n(U\u{2}lstR.".utf8)).contains("os.system, which is not read"))
    let four: [UInt8] =
      [0x80, 4, 0x8C, 2] + Array("os".utf8) + [0x8C, 6] + Array("system".utf8) + [0x93, 0x2E]
    #expect(fault(four).contains("os.system, which is not read"))
    #expect(fault(Array("(ios\nsystem\n.".utf8)).contains("0x69"))
    // A name that is allowed is no function of the reader's.
    #expect(fault(Array("ctorch\nFloatStorage\n)R.".utf8)).contains("is not called"))
  }

  /// Lists in lists, a million deep, end without taking the stack.
  @Test func depthTakesNoStack() {
    var bytes = [UInt8](repeating: UInt8(ascii: "]"), count: 1_000_000)
    bytes += [UInt8](repeating: UInt8(ascii: "a"), count: 999_999) + [UInt8(ascii: ".")]
    #expect(fault(bytes) == "read")
  }

  @Test(
    arguments: [
      [0x2E], [0x30], [0x65], [0x75], [0x52], [0x68, 9], [0x51], [0x58, 0xFF, 0xFF, 0xFF, 0xFF],
      [0x8D, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0x28, 0x31, 0x31], [0x4B],
    ] as [[UInt8]])
  func instructionsWithoutOperandsAreFaults(bytes: [UInt8]) {
    #expect(fault(bytes) != "read")
  }
}
