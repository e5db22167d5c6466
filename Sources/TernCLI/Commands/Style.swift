import ArgumentParser
import Foundation
import Tern

struct Style: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Paint the content of one picture in the style of another.",
    discussion: """
      The picture itself is trained: features of a VGG-16 where it is held against the content, and
      products of features (Gram matrices) where it is held against the style. Layers are called
      conv1_1, relu1_1, pool1 to pool5, or as in torchvision: features.0; with =WEIGHT behind the name
      one counts otherwise than the rest.

      Weights are torchvision's vgg16, as safetensors; without them the features are random ones, which
      carry textures and colours, not objects.

      Adam needs no care; L-BFGS comes to a lower loss in as many steps where the features are smooth.

      Source: Gatys, Ecker, Bethge, "A neural algorithm of artistic style", 2015.

      Example:
        tern style --content town.jpg --style waves.jpg --weights vgg16.safetensors --out out.png
      """)

  @Option(help: ArgumentHelp("The picture whose content is kept (PNG, JPEG).", valueName: "FILE"))
  var content: String
  @Option(help: ArgumentHelp("The picture whose style is taken.", valueName: "FILE"))
  var style: String
  @Option(help: ArgumentHelp("The picture to write.", valueName: "FILE.png"))
  var out: String
  @Option(
    help: ArgumentHelp(
      "The weights of vgg16. (default: random ones, by the seed)", valueName: "FILE.safetensors"))
  var weights: String?

  @Option(
    help: ArgumentHelp(
      "The longer side in pixels, at which both pictures keep their aspect; or width and height, to which both are cropped.",
      valueName: "N|W,H"))
  var size = "512"
  @Option(
    help: ArgumentHelp(
      "Where the content is compared, or none.", valueName: "LAYER[=WEIGHT],..."))
  var contentLayers = "relu4_2"
  @Option(
    help: ArgumentHelp("Where the style is compared, or none.", valueName: "LAYER[=WEIGHT],..."))
  var styleLayers = "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1"
  @Option(help: "What the content counts.")
  var contentWeight = 1.0
  @Option(help: "What the style counts.")
  var styleWeight = 1000.0
  @Option(help: "What differences between neighbouring pixels count (total variation).")
  var tvWeight = 0.0
  @Option(help: "How VGG's pooling layers pool: max, average.")
  var pooling = Pooling.max
  @Option(help: "What the picture starts as: content, noise.")
  var start = Start.content
  @Option(help: "What moves the picture: adam, lbfgs.")
  var optimizer = Mover.adam
  @Option(help: "Steps of the optimizer.")
  var steps = 300
  @Option(help: "The learning rate. (default: 0.02; of lbfgs 1)")
  var lr: Double?
  @Option(help: "The seed of random features and of noise.")
  var seed: UInt64 = 0
  @Option(help: "Steps between log lines.")
  var logEvery = 50
  @Option(
    help: ArgumentHelp(
      "Steps between intermediate pictures, written beside the last: out-step-50.png. (default: none)",
      valueName: "N"))
  var saveEvery: Int?
  @Option(
    help: ArgumentHelp(
      "Write the Gram matrices of the style, by layer. (default: no file)",
      valueName: "FILE.safetensors"))
  var grams: String?
  @OptionGroup var device: DeviceArguments
  @Flag(help: "Print JSON lines only.")
  var json = false
  @Flag(name: .shortAndLong, help: "Print the result only.")
  var quiet = false

  enum Mover: String, ExpressibleByArgument, CaseIterable { case adam, lbfgs }
  enum Pooling: String, ExpressibleByArgument, CaseIterable { case max, average }
  enum Start: String, ExpressibleByArgument, CaseIterable { case content, noise }

  func run() throws {
    Interruption.ignoreWriteSignals()
    let options = try options()
    for path in [out, grams].compactMap(\.self) { try AtomicFile.check(path) }
    let pictures = try (content: picture(content), style: picture(style))
    let model = try Model.named("vgg16")
    let loaded = try weights.map { path in
      let file = try WeightsFile(path)
      let names = try model.inferenceGraph(batchSize: 1).context.parameters.map(\.name)
      return (path: path, tensors: file.named(as: Set(names)).file.tensors)
    }
    let transfer: StyleTransfer
    do {
      transfer = try StyleTransfer(
        content: pictures.content, style: pictures.style, features: model,
        weights: loaded?.tensors, options: options, on: device.open())
    } catch let error as TernError where error.kind == .badData && loaded != nil {
      throw TernError(.badData, "\(loaded!.path): \(error.message)")
    }
    if let grams {
      try AtomicFile.write(Safetensors(tensors: transfer.gramMatrices).encoded(), to: grams)
    }
    if !quiet, !json {
      Output.progress(
        "\(pictures.content.shape[2])x\(pictures.content.shape[1]) pixels, "
          + "\(loaded == nil ? "random features" : "features of \(loaded!.path)"), plan "
          + Format.bytes(transfer.planByteCount))
    }
    Interruption.install()
    try paint(transfer)
  }

  private func paint(_ transfer: StyleTransfer) throws {
    let clock = ContinuousClock()
    let begin = clock.now
    let isBar = CompilationDisplay.isTerminal && !quiet && !json
    var first: StyleTransfer.Losses?
    var last: StyleTransfer.Losses?
    var done = 0
    while done < steps, Interruption.stop == nil {
      try transfer.step()
      done += 1
      let isLogged = done % logEvery == 0 || done == steps || done == 1
      guard isLogged || isBar || done % 10 == 0 else { continue }
      // Also keeps what is asked of the device and not yet done from growing.
      let losses = try transfer.losses()
      first = first ?? losses
      last = losses
      if isBar { draw(done, losses) } else if isLogged { show(done, losses) }
      if let saveEvery, done % saveEvery == 0, done < steps {
        try write(transfer, to: stepPath(done))
      }
    }
    if isBar { Output.control("\r\u{1B}[K") }
    try write(transfer, to: out)
    let seconds = (clock.now - begin) / .seconds(1)
    if let first, let last {
      if json {
        Output.result(
          JSON.object([
            "event": .string("end"), "steps": .int(done), "first_loss": .double(first.total),
            "loss": .double(last.total), "seconds": .double(seconds), "picture": .string(out),
          ]))
      } else {
        Output.result(
          "loss \(Format.loss(first.total)) to \(Format.loss(last.total)) in \(done) steps, "
            + "\(Format.fixed(seconds, 1)) s, \(out)".visible)
      }
    }
    if let stop = Interruption.stop {
      Output.progress("stopped after \(done) of \(steps) steps")
      throw ExitCode(128 + stop)
    }
  }

  // MARK: What was asked for

  private func options() throws -> StyleTransfer.Options {
    guard out.lowercased().hasSuffix(".png") else {
      throw TernError(.usage, "out: a picture is written as .png, got '\(out)'")
    }
    for (name, value) in [
      ("steps", steps), ("log-every", logEvery), ("save-every", saveEvery ?? 1),
    ]
    where value < 1 || value > Int(Int32.max) {
      throw TernError(.usage, "\(name): expected at least 1, got \(value)")
    }
    if let lr, !(lr > 0 && lr.isFinite) {
      throw TernError(.usage, "lr: expected a number above 0, got \(lr)")
    }
    for (name, value) in [
      ("content-weight", contentWeight), ("style-weight", styleWeight), ("tv-weight", tvWeight),
    ] where !(value >= 0 && value.isFinite) {
      throw TernError(.usage, "\(name): expected a number of at least 0, got \(value)")
    }
    var options = StyleTransfer.Options()
    options.contentLayers = try Self.layers(contentLayers, "content-layers", all: 1)
    options.styleLayers = try Self.layers(styleLayers, "style-layers", all: 1)
    options.contentWeight = options.contentLayers.isEmpty ? 0 : contentWeight
    options.styleWeight = options.styleLayers.isEmpty ? 0 : styleWeight
    options.variationWeight = tvWeight
    options.averages = pooling == .average
    options.optimizer = optimizer == .adam ? .adam : .lbfgs
    options.learningRate = lr
    options.seed = seed
    options.startsFromNoise = start == .noise
    guard options.contentWeight > 0 || options.styleWeight > 0 || tvWeight > 0 else {
      throw TernError(.usage, "every weight of the loss is 0")
    }
    return options
  }

  /// Reads `relu1_1,relu2_1=0.5`; layers without a weight share what is left of `all`.
  private static func layers(
    _ text: String, _ flag: String, all: Double
  ) throws -> [(name: String, weight: Double)] {
    if text == "none" { return [] }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    return try parts.map { part in
      let sides = part.split(separator: "=", omittingEmptySubsequences: false)
      let weight = sides.count == 2 ? Double(sides[1]) : all / Double(parts.count)
      guard sides.count <= 2, !sides[0].isEmpty, let weight, weight >= 0, weight.isFinite else {
        throw TernError(.usage, "\(flag): expected LAYER[=WEIGHT],..., got '\(part)'")
      }
      return (String(sides[0]), weight)
    }
  }

  /// Reads a picture at the size that was asked for.
  private func picture(_ path: String) throws -> HostTensor {
    let numbers = size.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count <= 2, numbers.allSatisfy({ (16...4096).contains($0 ?? 0) }) else {
      throw TernError(.usage, "size: expected N or W,H from 16 to 4096, got '\(size)'")
    }
    let sides = numbers.compactMap(\.self)
    var (width, height) = (sides[0], sides[sides.count - 1])
    if sides.count == 1 {
      let own = try Picture.size(ofFile: path)
      let scale = Double(sides[0]) / Double(Swift.max(own.width, own.height))
      width = Swift.max(1, Int((Double(own.width) * scale).rounded()))
      height = Swift.max(1, Int((Double(own.height) * scale).rounded()))
    }
    let shape = Shape([3, height, width])
    return HostTensor(
      shape, try PictureFrame(shape, view: .center(part: 1)).values(ofFile: path))
  }

  // MARK: What is shown

  private func stepPath(_ step: Int) -> String {
    out.parentPath.appendingPath("\(out.pathStem)-step-\(step).png")
  }

  private func write(_ transfer: StyleTransfer, to path: String) throws {
    let image = try transfer.image()
    let picture = SheetPicture(
      image.floats, shape: Shape([1] + image.shape.dimensions), columns: 1,
      normalization: Normalization(means: [0, 0, 0], deviations: [1, 1, 1]))
    try AtomicFile.write(picture.png, to: path)
  }

  private func fields(_ step: Int, _ losses: StyleTransfer.Losses) -> [String] {
    [
      "step \(step)/\(steps)", "loss \(Format.loss(losses.total))",
      "content \(Format.loss(losses.content))", "style \(Format.loss(losses.style))",
    ] + (tvWeight > 0 ? ["variation \(Format.loss(losses.variation))"] : [])
  }

  private func show(_ step: Int, _ losses: StyleTransfer.Losses) {
    guard !quiet else { return }
    if json {
      Output.result(
        JSON.object([
          "event": .string("step"), "step": .int(step), "loss": .double(losses.total),
          "content": .double(losses.content), "style": .double(losses.style),
          "variation": .double(losses.variation),
        ]))
    } else {
      Output.progress(fields(step, losses).joined(separator: "  "))
    }
  }

  private func draw(_ step: Int, _ losses: StyleTransfer.Losses) {
    let columns = Output.terminalWidth - 1
    let line = ProgressLine.fitting(
      fields(step, losses).enumerated().map { ($1, $0) }, columns: columns)
    let bar = ProgressLine.bar(
      width: columns - line.count - 1, done: Double(step) / Double(steps))
    Output.control("\r\u{1B}[K\(bar)\(bar.isEmpty ? "" : " ")\(line)")
  }
}
