import TernCore

/// A text as windows of T tokens, each held against the same window one token later, as language models
/// are: samples [T] int32, targets [T] int32.
///
/// Windows do not overlap; what is left at the end and fills none is not used.
public struct TokenWindows: Dataset {
  /// The text.
  let tokens: [Int32]
  private let length: Int
  public let classNames: [String]

  /// - Precondition: there are more tokens than `length`.
  init(_ tokens: [Int32], length: Int, vocabulary: Vocabulary) {
    precondition(length >= 1 && tokens.count > length)
    (self.tokens, self.length, classNames) = (tokens, length, vocabulary.tokens)
  }

  public var count: Int { (tokens.count - 1) / length }
  public var sampleShape: Shape { [length] }
  public var targetType: TensorType { TensorType([length], .int32) }
  public var sampleName: String { Field.tokensName }
  public var hasIntegerSamples: Bool { true }
  public var vocabularyCount: Int? { classNames.count }
  public func label(_ index: Int) -> Int32 { 0 }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) {
    for i in 0..<length { destination[i] = Float(tokens[index * length + i]) }
  }

  public func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) {
    tokens.withUnsafeBytes {
      destination.copyMemory(
        from: $0.baseAddress! + 4 * (index * length + 1), byteCount: 4 * length)
    }
  }

  public func traits(_ index: Int) -> [UInt8] {
    tokens[index * length...index * length + length].withUnsafeBytes { Array($0) }
  }
}

/// Texts with a class each: samples [T] int32. A shorter text is filled up with
/// ``Vocabulary/padding``, of a longer one its first T tokens count.
public struct TokenizedTexts: Dataset {
  private var tokens: [Int32] = []
  private var labels: [Int32] = []
  private let length: Int
  public let classNames: [String]
  public let vocabularyCount: Int?
  /// How many texts are longer than a sample.
  private(set) var cutCount = 0

  init(length: Int, classNames: [String], vocabulary: Vocabulary) {
    (self.length, self.classNames) = (length, classNames)
    vocabularyCount = vocabulary.count
  }

  /// Adds a text as tokens.
  mutating func append(_ text: [Int32], label: Int32) {
    let kept = text.prefix(length)
    if kept.count < text.count { cutCount += 1 }
    tokens.append(contentsOf: kept)
    tokens.append(
      contentsOf: repeatElement(Vocabulary.padding, count: length - kept.count))
    labels.append(label)
  }

  public var count: Int { labels.count }
  public var sampleShape: Shape { [length] }
  public var sampleName: String { Field.tokensName }
  public var hasIntegerSamples: Bool { true }
  public func label(_ index: Int) -> Int32 { labels[index] }

  public var otherFields: [Field] { [Field(Field.maskName, [length])] }

  public func copyField(_ field: Int, of index: Int, to destination: UnsafeMutableRawPointer) {
    let mask = destination.assumingMemoryBound(to: Float.self)
    for i in 0..<length {
      mask[i] = tokens[index * length + i] == Vocabulary.padding ? 0 : 1
    }
  }

  public func copySample(
    _ index: Int, to destination: UnsafeMutablePointer<Float>, scale: ChannelScale
  ) {
    for i in 0..<length { destination[i] = Float(tokens[index * length + i]) }
  }

  public func traits(_ index: Int) -> [UInt8] {
    tokens[index * length..<(index + 1) * length].withUnsafeBytes { Array($0) }
  }
}
