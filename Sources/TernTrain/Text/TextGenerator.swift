import Foundation
import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// Goes on with a text, token by token, as a trained language model says.
///
/// What a network sees of the text is its last T tokens.
public final class TextGenerator {
  /// The tokens that the network knows.
  public let vocabulary: Vocabulary
  private let executable: Executable
  private let length: Int
  private var window: [Int32]

  private static let positionInput = "position"
  private static let scoresOutput = "scores"

  /// How the next token is chosen.
  public struct Sampling: Hashable, Sendable {
    /// What scores are divided by: below 1 likely tokens become likelier; 0 takes the likeliest.
    public var temperature: Double
    /// Among how many of the likeliest is chosen; all where `nil`.
    public var topCount: Int?
    /// What is drawn depends on it, and on nothing else.
    public var seed: UInt64

    /// As the network says, unless something else is said.
    public init(temperature: Double = 1, topCount: Int? = nil, seed: UInt64 = 0) {
      self.temperature = temperature
      self.topCount = topCount
      self.seed = seed
    }
  }

  /// - Parameters:
  ///   - weights: parameters by name.
  ///   - place: what errors call them.
  /// - Throws: ``TernError`` of kind `usage` where the network is no language model, of kind `badData`
  ///   where weights are missing or have another shape.
  public init(
    _ model: Model, vocabulary: Vocabulary, weights: [String: HostTensor],
    place: String = "weights",
    on device: any Device
  ) throws {
    guard model.task == .languageModel, model.classCount == vocabulary.count else {
      throw TernError(
        .usage, "generate: \(model.name) is trained for \(model.task.name), it writes no text")
    }
    self.vocabulary = vocabulary
    length = model.inputShape[0]
    window = [Int32](repeating: Vocabulary.padding, count: length)
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let scores = try model.forward(model.appendInputs(to: builder, batchSize: 1), in: context)[0]
    // The scores of one position are read, not those of all.
    let position = try builder.input(Self.positionInput, TensorType([1], .int32))
    let row = try position.embedding(
      weight: scores.reshape([scores.shape[1], scores.shape[2]]))
    builder.output(Self.scoresOutput, row)
    let session = Session(device: device)
    executable = try session.compile(builder.graph)
    try session.load(weights, of: model.name, place: "\(place): ")
  }

  /// The scores of the tokens that may follow, [V].
  ///
  /// - Parameter text: the tokens before, at least one.
  public func scores(after text: [Int32]) throws -> [Float] {
    precondition(!text.isEmpty)
    let seen = text.suffix(length)
    for (place, token) in seen.enumerated() { window[place] = token }
    // What stands behind is not seen from there.
    for place in seen.count..<length { window[place] = Vocabulary.padding }
    try window.withUnsafeBytes {
      try executable.upload($0, toInput: executable.inputIndex(Field.tokensName)!)
    }
    try executable.upload(
      HostTensor([1], [Int32(seen.count - 1)]),
      toInput: executable.inputIndex(Self.positionInput)!)
    try executable.step()
    return try executable.read(Self.scoresOutput).floats
  }

  /// Goes on with a text.
  ///
  /// - Parameters:
  ///   - text: the tokens before; of none, an unknown one stands before the first.
  ///   - count: how many tokens are added.
  ///   - body: told each token as it is chosen; `false` ends it.
  public func generate(
    after text: [Int32], count: Int, _ sampling: Sampling = Sampling(),
    _ body: (Int32) throws -> Bool
  ) throws {
    var all = text.isEmpty ? [Vocabulary.unknown] : text
    let draws = Philox(seed: sampling.seed, stream: .sampling)
    for index in 0..<count {
      let token = choose(
        try scores(after: all), sampling, draw: draws.uniforms(1, UInt32(index))[0])
      all.append(token)
      guard try body(token) else { return }
    }
  }

  /// One of the tokens; neither what fills up nor what is unknown.
  private func choose(_ scores: [Float], _ sampling: Sampling, draw: Float) -> Int32 {
    let candidates = scores.indices.dropFirst(2)
    func isLikelier(_ a: Int, _ b: Int) -> Bool {
      scores[a] == scores[b] ? a < b : scores[a] > scores[b] || scores[b].isNaN
    }
    let best = candidates.min { isLikelier($0, $1) } ?? 2
    guard sampling.temperature > 0 else { return Int32(best) }
    let kept =
      sampling.topCount.map { Array(candidates.sorted(by: isLikelier).prefix($0)) }
      ?? Array(candidates)
    let weights = kept.map {
      exp((Double(scores[$0]) - Double(scores[best])) / sampling.temperature)
    }
    var rest = Double(draw) * weights.reduce(0, +)
    for (token, weight) in zip(kept, weights) {
      rest -= weight
      if rest < 0 { return Int32(token) }
    }
    return Int32(best)
  }
}
