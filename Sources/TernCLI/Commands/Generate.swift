import ArgumentParser
import Foundation
import Tern

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Go on with a text as a trained language model says.",
    discussion: """
      The text is cut into the tokens that the run was trained on; what the network does not know is \
      one unknown token. The same seed writes the same text on a device.

      Examples:
        tern generate runs/lstm-lm-1 --prompt "The License" --length 50
        tern generate runs/lstm-lm-1 --temperature 0.7 --top-k 40 --seed 3
      """)

  @Argument(help: ArgumentHelp("The folder of a training run.", valueName: "RUN"))
  var runPath: String
  @Option(help: "The text to go on with. (default: none)")
  var prompt = ""
  @Option(help: "How many tokens are written.")
  var length = 100
  @Option(help: "What scores are divided by; 0 takes the likeliest token.")
  var temperature = 1.0
  @Option(help: "Among how many of the likeliest tokens is chosen. (default: all)")
  var topK: Int?
  @Option(help: "What is drawn depends on it.")
  var seed: UInt64 = 0
  @OptionGroup var device: DeviceArguments
  @Option(help: "Which checkpoint of the run: last or best.")
  var checkpoint = "last"
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    guard length >= 1 else { throw TernError(.usage, "length: expected at least 1, got \(length)") }
    guard temperature >= 0, temperature.isFinite else {
      throw TernError(.usage, "temperature: expected a number of at least 0, got \(temperature)")
    }
    if let topK, topK < 1 { throw TernError(.usage, "top-k: expected at least 1, got \(topK)") }
    let weights = try RunWeights(
      run: runPath, model: nil, weights: nil, checkpoint: checkpoint, verb: "generate")
    guard let samples = SampleDescription(weights.file.metadata),
      let vocabulary = samples.vocabulary
    else {
      throw TernError(.usage, "generate: \(runPath) was not trained on text (text:PATH)")
    }
    let network = try weights.configuration.network(
      sampleShape: samples.shape, targetCount: samples.classNames.count,
      vocabularyCount: vocabulary.count)
    let generator = try TextGenerator(
      network, vocabulary: vocabulary, weights: weights.file.tensors, place: weights.path,
      on: device.open(for: network))
    let start = vocabulary.encode(prompt)
    let unknown = start.count { $0 == Vocabulary.unknown }
    if unknown > 0 {
      Output.progress(
        "prompt: \(unknown) of its \(start.count) tokens are unknown to the network")
    }
    var tokens: [Int32] = []
    let sampling = TextGenerator.Sampling(temperature: temperature, topCount: topK, seed: seed)
    var printer = TextPrinter(vocabulary, after: start.last)
    if !json { Output.text(prompt) }
    try generator.generate(after: start, count: length, sampling) { token in
      tokens.append(token)
      if !json { Output.text(printer.text(adding: token)) }
      return Output.failure == nil
    }
    guard json else {
      Output.text(printer.rest + "\n")
      return
    }
    Output.result(
      JSON.object([
        "prompt": .string(prompt),
        "text": .string(
          String(decoding: vocabulary.decode(tokens, after: start.last), as: UTF8.self)),
        "tokens": .array(tokens.map { .string(vocabulary.tokens[Int($0)]) }),
      ]))
  }
}

/// Tokens as text, as soon as they are whole characters.
private struct TextPrinter {
  private let vocabulary: Vocabulary
  private var last: Int32?
  private var bytes = Data()

  init(_ vocabulary: Vocabulary, after last: Int32?) {
    (self.vocabulary, self.last) = (vocabulary, last)
  }

  /// What can be printed with another token.
  mutating func text(adding token: Int32) -> String {
    bytes += vocabulary.decode([token], after: last)
    last = token
    // A character of UTF-8 has four bytes at most.
    guard let text = String(data: bytes, encoding: .utf8) ?? (bytes.count > 8 ? rest : nil) else {
      return ""
    }
    bytes.removeAll()
    return text
  }

  /// What is left, whatever it is.
  var rest: String { String(decoding: bytes, as: UTF8.self) }
}
