import Foundation
import TernCore
import Testing

@testable import TernData

/// Text as data: what it is cut into, what is known of it, and where its parts and classes are.
@Suite struct TextTests {
  private final class Folder {
    let path = NSTemporaryDirectory() + "tern-text-\(UUID().uuidString)"
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
      let file = URL(fileURLWithPath: "\(path)/\(name)")
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
  }

  private func open(
    _ folder: Folder, _ name: String = "", _ kind: TargetSelection.Kind = .tokens,
    text: TextOptions = TextOptions(length: 3), known: TrainedSamples? = nil
  ) throws -> DataSource {
    try DataSource.open(
      "text:\(folder.path)\(name.isEmpty ? "" : "/" + name)", known: known,
      targets: TargetSelection(kind, testSplit: 0, text: text))
  }

  private func tokens(_ text: String, _ unit: TokenUnit) -> [String] {
    var result: [String] = []
    Tokenizer.forEachToken(in: text.utf8, unit) { result.append($0) }
    return result
  }

  @Test(arguments: [
    (
      TokenUnit.word, "Don't stop, v2.0!\r\n(ok)",
      ["Don't", "stop", ",", "v2", ".", "0", "!", "\n", "(", "ok", ")"]
    ),
    (.word, "'quoted' it's", ["'", "quoted", "'", "it's"]),
    (.word, "naïve_x  \t é", ["naïve_x", "é"]),
    (.word, "", []), (.word, " \t ", []), (.word, "a'", ["a", "'"]),
    (.character, "a\r\nb\rc", ["a", "\n", "b", "\r", "c"]), (.character, "é!", ["é", "!"]),
    (.byte, "é", ["0xc3", "0xa9"]),
  ])
  func textIsCut(_ unit: TokenUnit, _ text: String, _ expected: [String]) {
    #expect(tokens(text, unit) == expected)
  }

  @Test func bytesThatAreNoTextAreOneCharacter() {
    var result: [String] = []
    Tokenizer.forEachToken(in: [0x61, 0xFF, 0x62] as [UInt8], .character) { result.append($0) }
    #expect(result == ["a", "\u{FFFD}", "b"])
  }

  @Test(arguments: TokenUnit.allCases) func whatIsKnownComesBack(_ unit: TokenUnit) throws {
    let text = "It's the end, said she.\nThe end (of it)."
    let vocabulary = Vocabulary(unit, of: [Data(text.utf8)], limit: 1000)
    #expect(vocabulary.decode(vocabulary.encode(text)) == Data(text.utf8))
    #expect(Vocabulary(unit, tokens: vocabulary.tokens) == vocabulary)
    let foreign = vocabulary.encode("ж")
    #expect(unit == .byte || foreign == [Vocabulary.unknown])
  }

  @Test func theMoreFrequentTokensAreKept() {
    let vocabulary = Vocabulary(.word, of: [Data("b a c a b a d".utf8)], limit: 5)
    #expect(vocabulary.tokens == ["<pad>", "<unk>", "a", "b", "c"])
    #expect(vocabulary.encode("a d <unk>") == [2, 1, 1, 1, 1])
    #expect(Vocabulary(.word, tokens: ["a", "b"]) == nil)
    #expect(Vocabulary(.word, tokens: ["<pad>", "<unk>", "a", "a"]) == nil)
  }

  @Test func windowsAreHeldAgainstTheNextTokens() throws {
    let folder = Folder()
    try folder.write("a.txt", "a b c d e f g h")
    let source = try open(folder, "a.txt")
    let set = source.training
    #expect(set.count == 2 && set.sampleShape == [3] && set.hasIntegerSamples)
    #expect(set.targetType == TensorType([3], .int32))
    func names(_ sample: Int) throws -> ([String], [String]) {
      var values = [Float](repeating: 0, count: 3)
      var targets = [Int32](repeating: 0, count: 3)
      try values.withUnsafeMutableBufferPointer {
        try set.copySample(sample, to: $0.baseAddress!, scale: .identity(for: set))
      }
      try targets.withUnsafeMutableBytes { try set.copyTarget(sample, to: $0.baseAddress!) }
      return (
        values.map { set.classNames[Int($0)] }, targets.map { set.classNames[Int($0)] }
      )
    }
    #expect(try names(0) == (["a", "b", "c"], ["b", "c", "d"]))
    #expect(try names(1) == (["d", "e", "f"], ["e", "f", "g"]))
  }

  @Test func partsOfATextAreKnownByTheirNames() throws {
    let folder = Folder()
    try folder.write("wiki.train.tokens", "a b c d e f")
    try folder.write("wiki.valid.tokens", "a b z y")
    try folder.write("wiki.test.tokens", "f e d c b a")
    let source = try open(folder)
    #expect(source.training.count == 1 && source.validation?.count == 1)
    #expect(source.test.count == 1)
    // Known is what the training part holds.
    #expect(source.vocabulary?.count == 8)
    #expect(source.notes.contains { $0.contains("2 tokens") && $0.contains("not in it") })
  }

  @Test func linksToFilesBesideAreNotReadTwice() throws {
    let folder = Folder()
    try folder.write("GPL-3", "a b c d e f g")
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/GPL", withDestinationPath: "GPL-3")
    let source = try open(folder)
    #expect(source.training.count == 2)
    #expect(source.notes.contains { $0.contains("1 links") })
  }

  @Test(arguments: ["folders", "lines", "table"]) func textsHaveClasses(_ form: String) throws {
    let folder = Folder()
    switch form {
    case "folders":
      for (name, text) in [
        ("pos/1.txt", "good film"), ("neg/1.txt", "bad film a b"), ("neg/2", "bad"),
      ] { try folder.write(name, text) }
    case "lines":
      try folder.write("pos.txt", "good film\n\n")
      try folder.write("neg.txt", "bad film a b\n  \nbad\n")
    default:
      try folder.write(
        "a.csv", "id,text,label\n1,\"bad film a b\",neg\n2,bad,neg\n3,good film,pos\n")
    }
    let source = try open(folder, form == "table" ? "a.csv" : "", .classes)
    let set = source.training
    #expect(set.classNames == ["neg", "pos"])
    #expect((0..<set.count).map(set.label).sorted() == [0, 0, 1])
    let short = (0..<3).first { set.traits($0).suffix(8) == [0, 0, 0, 0, 0, 0, 0, 0] }
    var mask = [Float](repeating: -1, count: 3)
    try mask.withUnsafeMutableBytes {
      try set.copyField(0, of: #require(short), to: $0.baseAddress!)
    }
    #expect(mask == [1, 0, 0])
    #expect(source.notes.contains { $0.contains("1 texts are longer") })
  }

  @Test func aTrainedNetworksTokensKeepTheirNumbers() throws {
    let folder = Folder()
    try folder.write("a.txt", "a a a b b c d e")
    try folder.write("b.txt", "e d c b a z z z")
    let first = try open(folder, "a.txt")
    let known = TrainedSamples(
      shape: [3], classNames: first.training.classNames, vocabulary: first.vocabulary)
    let second = try open(folder, "b.txt", known: known)
    #expect(second.vocabulary == first.vocabulary)
    #expect(second.training.traits(0).first == UInt8(first.vocabulary!.encode("e")[0]))
  }

  @Test(arguments: [
    ("nothing", "", TargetSelection.Kind.tokens, "no such file"),
    ("a.txt", "a b", .tokens, "2 tokens, of which no sample of 3"),
    ("a.txt", "", .tokens, "0 different tokens"),
    ("a.txt", "a b c d e", .classes, "one text without classes"),
    ("a.csv", "x,y,label\n1,2,a\n", .classes, "which column holds the text? there are x, y, label"),
    ("a.csv", "text,label\nhello you there,a\n", .classes, "1 class with text in it"),
    ("a.txt", "a b\0c d", .tokens, "no text: it holds bytes that are 0"),
    ("a.txt", "a b c d e", .numbers, "no numbers"),
  ])
  func whatIsWrongIsSaid(
    _ name: String, _ text: String, _ kind: TargetSelection.Kind, _ expected: String
  ) throws {
    let folder = Folder()
    if name != "nothing" { try folder.write(name, text) }
    let error = #expect(throws: TernError.self) { try open(folder, name, kind) }
    #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
  }

  @Test func aPartIsNoClass() throws {
    let folder = Folder()
    try folder.write("train.txt", "a b c")
    try folder.write("test.txt", "a b c")
    let error = #expect(throws: TernError.self) { try open(folder, "", .classes) }
    #expect(error?.message.contains("a part of a text without classes") == true)
  }
}
