import Foundation
import TernCore

/// The tokens that a network knows, by number: 0 fills up what is shorter than a sample, 1 stands for
/// every token that is not known, the others follow by how often they occur.
public struct Vocabulary: Hashable, Sendable {
  /// What text is cut into.
  public let unit: TokenUnit
  /// The tokens in the order of their numbers.
  public let tokens: [String]
  private let numbers: [String: Int32]

  /// The number that fills up samples.
  public static let padding: Int32 = 0
  /// The number of tokens that are not known.
  public static let unknown: Int32 = 1
  static let specials = ["<pad>", "<unk>"]

  /// The tokens of a vocabulary that was stored.
  ///
  /// - Returns: `nil` where they do not begin with those for filling up and for what is unknown, or one
  ///   occurs twice.
  public init?(_ unit: TokenUnit, tokens: [String]) {
    guard Array(tokens.prefix(2)) == Self.specials,
      unit != .byte || tokens.dropFirst(2).elementsEqual(Tokenizer.byteNames)
    else { return nil }
    let numbers = Dictionary(zip(tokens, Int32(0)...)) { first, _ in first }
    guard numbers.count == tokens.count else { return nil }
    (self.unit, self.tokens, self.numbers) = (unit, tokens, numbers)
  }

  /// The tokens of some text, the more frequent first, those as frequent by their text.
  ///
  /// - Parameter limit: how many there are at most, with the two that are no text; bytes are 258.
  init(_ unit: TokenUnit, of texts: some Sequence<Data>, limit: Int) {
    var counts: [String: Int] = [:]
    if unit != .byte {
      for text in texts {
        Tokenizer.forEachToken(in: text, unit) { counts[$0, default: 0] += 1 }
      }
    }
    let known = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .prefix(max(limit - Self.specials.count, 0)).map(\.key)
    let tokens = Self.specials + (unit == .byte ? Tokenizer.byteNames : known)
    self.init(unit, tokens: tokens)!
  }

  /// How many tokens there are, V.
  public var count: Int { tokens.count }

  /// The numbers of a text's tokens.
  public func encode(_ text: some Collection<UInt8>) -> [Int32] {
    var result: [Int32] = []
    if unit == .byte {
      result.reserveCapacity(text.count)
      for byte in text { result.append(Int32(byte) + Int32(Self.specials.count)) }
    } else {
      Tokenizer.forEachToken(in: text, unit) { result.append(numbers[$0] ?? Self.unknown) }
    }
    return result
  }

  /// The numbers of a text's tokens.
  public func encode(_ text: String) -> [Int32] { encode(text.utf8) }

  /// The bytes that tokens stand for, what fills up left out. Blanks go between words, but not before
  /// marks that close and behind those that open.
  ///
  /// - Parameter before: the token that stands before the first.
  public func decode(_ tokens: some Sequence<Int32>, after before: Int32? = nil) -> Data {
    var result = Data()
    var previous = before.map { self.tokens[Int($0)] }
    for token in tokens where token != Self.padding {
      let text = self.tokens[Int(token)]
      switch unit {
      case .byte:
        if let byte = Tokenizer.byte(named: text) { result.append(byte) }
      case .character: result.append(contentsOf: (token == Self.unknown ? "\u{FFFD}" : text).utf8)
      case .word:
        if let previous, !Tokenizer.areJoined(previous, text) { result.append(UInt8(ascii: " ")) }
        result.append(contentsOf: text.utf8)
      }
      previous = text
    }
    return result
  }
}
