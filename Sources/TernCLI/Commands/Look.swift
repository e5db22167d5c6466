import ArgumentParser
import Foundation
import Tern

struct Look: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look inside a trained network: pictures and a page of what it learnt.",
    discussion: """
      Parts are filters (of the first layers), features (the maps of a picture, layer by layer),
      maximal (the inputs that units like most), activations (their distributions, and units that are
      dead), fields (how far layers see), energy (of a Hopfield network that recalls), gradients (their
      size from layer to layer, at the start of training and now, and epoch by epoch where the run was
      trained with --histograms) and surface (the loss around the weights). What a network has none of is
      left out.

      The folder gets the pictures (PNG, SVG) and index.html, which needs no other file.

      Examples:
        tern look runs/lenet5-1
        tern look runs/resnet18-1 --image cat.jpg --only features,maximal --layer layer2.0.conv1
      """)

  @Argument(help: ArgumentHelp("The folder of a training run.", valueName: "RUN"))
  var runPath: String

  @Option(help: ArgumentHelp("The folder to write. (default: look in the run)", valueName: "DIR"))
  var out: String?
  @Option(
    help: ArgumentHelp("The parts that are looked at. (default: all)", valueName: "PART,PART..."))
  var only: String?
  @Option(help: "The data. (default: the run's)")
  var data: String?
  @Option(help: ArgumentHelp("The test sample whose feature maps are shown.", valueName: "N"))
  var index = 0
  @Option(
    help: ArgumentHelp(
      "A picture file whose feature maps are shown. (default: the sample)", valueName: "FILE"))
  var image: String?
  @Option(
    help: ArgumentHelp(
      "The layer whose units are maximised, by its name in tern summary. (default: the last)",
      valueName: "NAME"))
  var layer: String?
  @Option(help: "Samples that activations and the loss surface are taken over.")
  var samples = 256
  @Option(help: "Points along each direction of the loss surface, an odd number.")
  var points = 15
  @Option(help: "How far the loss surface reaches, in lengths of the filters.")
  var radius = 1.0
  @OptionGroup var device: DeviceArguments
  @Option(help: "Which checkpoint of the run: last or best.")
  var checkpoint = "last"
  @Flag(help: "Print one JSON object.")
  var json = false
  @Flag(name: .shortAndLong, help: "Print the result only.")
  var quiet = false

  private static let parts = [
    "filters", "features", "maximal", "activations", "fields", "energy", "gradients", "surface",
  ]

  func run() throws {
    Interruption.ignoreWriteSignals()
    let asked = try chosenParts()
    for (name, value, range) in [
      ("samples", samples, 1...65_536), ("points", points, 3...201),
    ] where !range.contains(value) {
      throw TernError(
        .usage, "\(name): expected \(range.lowerBound) to \(range.upperBound), got \(value)")
    }
    guard points % 2 == 1 else {
      throw TernError(.usage, "points: expected an odd number, got \(points)")
    }
    guard radius > 0, radius.isFinite else {
      throw TernError(.usage, "radius: expected a number above 0, got \(radius)")
    }
    let directory = out ?? runPath.appendingPath("look")
    var overrides: [String: AttributeValue] = [:]
    if let data { overrides["data"] = .string(data) }
    let weights = try RunWeights(
      run: runPath, model: nil, weights: nil, checkpoint: checkpoint, overrides: overrides,
      verb: "look into")
    let configuration = weights.configuration
    let data = try weights.testData(self.data)
    let network = try configuration.network(for: data.test)
    guard index >= 0, index < data.test.count else {
      throw TernError(.usage, "index: expected 0 to \(data.test.count - 1), got \(index)")
    }
    let look = NetworkLook(
      network, weights: weights.file.tensors, data: data,
      objective: try configuration.objective(of: network), seed: configuration.seed,
      on: try device.open(for: network))
    try AtomicFile.check(prepared(directory).appendingPath("index.html"))
    var page = LookPage(title: "\(runPath): inside \(network.name)")
    var found: [String: JSON] = [:]
    for part in asked {
      show(part)
      try add(part, of: look, weights, to: &page, &found)
    }
    clear()
    for file in page.files {
      try AtomicFile.write(file.data, to: directory.appendingPath(file.name))
    }
    let path = directory.appendingPath("index.html")
    try AtomicFile.write(Data(page.html.utf8), to: path)
    if json {
      found["page"] = .string(path)
      found["pictures"] = .array(
        page.files.map { .string(directory.appendingPath($0.name)) })
      Output.result(
        .object(found.sorted { $0.key < $1.key }.map { JSON.Member(name: $0.key, value: $0.value) })
      )
    } else {
      Output.result(path.visible)
    }
  }

  private func chosenParts() throws -> [String] {
    guard let only else { return Self.parts }
    let asked = only.split(separator: ",").map(String.init)
    for name in asked where !Self.parts.contains(name) {
      throw TernError(
        .usage,
        "only: expected parts among \(Self.parts.joined(separator: ", ")), got '\(name)'"
          + (EditDistance.nearest(to: name, among: Self.parts).map { "; did you mean '\($0)'?" }
            ?? ""))
    }
    guard !asked.isEmpty else { throw TernError(.usage, "only: expected a part, got none") }
    return Self.parts.filter(asked.contains)
  }

  private func prepared(_ directory: String) throws -> String {
    guard FileSystem.createFolder(directory) else {
      throw TernError(.cannotWrite, "\(directory): cannot create the folder")
    }
    return directory
  }

  private func add(
    _ part: String, of look: NetworkLook, _ weights: RunWeights, to page: inout LookPage,
    _ found: inout [String: JSON]
  ) throws {
    switch part {
    case "filters": page.add(filters: try look.filters())
    case "features":
      let (samples, name) = try sample(look, weights)
      page.add(featureMaps: try look.featureMaps(of: samples), of: name)
    case "maximal":
      // Of networks that see no pictures only what was asked for by name is missed.
      if look.seesPictures || layer != nil || only != nil {
        page.add(maximalInputs: try look.maximalInputs(layer: layer))
      }
    case "activations":
      let layers = try look.activations(sampleLimit: samples)
      page.add(activations: layers)
      found["activations"] = .array(
        layers.map {
          .object([
            "layer": .string($0.name), "type": .string($0.kind), "mean": .double($0.mean),
            "deviation": .double($0.deviation), "zeros": .double($0.zeroShare),
            "units": .int($0.unitCount), "dead_units": .array($0.deadUnits.map(JSON.int)),
          ])
        })
    case "fields":
      let summaries = try look.model.inferenceGraph(batchSize: 1).context.summaries
      page.add(receptiveFields: summaries, input: look.model.inputShape)
    case "energy":
      guard look.model.task == .association else { return }
      let traces = try look.energyTraces(
        damage: weights.configuration.damage, sampleLimit: min(samples, 6))
      page.add(energies: traces)
      found["energies"] = .array(traces.map { .array($0.energies.map(JSON.double)) })
    case "gradients":
      let flows = try look.gradientFlow(
        [("at the start", look.model.trainedValues(seed: look.seed)), ("now", look.weights)],
        batchSize: min(weights.configuration.batchSize, samples))
      let course = GradientFlow.course(ofRun: runPath)
      page.add(gradientFlow: flows, course: course)
      found["gradients"] = .array(
        (flows + course).map { flow in
          .object([
            "state": .string(flow.name),
            "mean_magnitudes": .object(
              flow.magnitudes.map { JSON.Member(name: $0.parameter, value: .double($0.mean)) }),
          ])
        })
    default:
      // What a memory stores is no minimum of a loss.
      guard ![.association, .pairAssociation].contains(look.model.task) else { return }
      let surface = try look.lossSurface(
        pointCount: points, radius: radius, sampleLimit: samples
      ) { show("surface \($0)/\($1)") }
      page.add(surface: surface)
      found["surface"] = .object([
        "positions": .array(surface.positions.map(JSON.double)),
        "losses": .array(surface.losses.map(JSON.double)), "loss": .double(surface.center),
      ])
    }
  }

  /// The sample whose maps are shown, and what it is called.
  private func sample(
    _ look: NetworkLook, _ weights: RunWeights
  ) throws -> (samples: any Dataset, name: String) {
    guard let image else {
      let set = look.data.test
      var name = "test sample \(index)"
      if !set.hasNumericTargets, set.targetShape.rank == 0 {
        let label = Int(set.label(index))
        if label < set.classNames.count { name += " (\(set.classNames[label]))" }
      }
      return (Subset(set, [Int32(index)]), name)
    }
    let shape = look.data.test.sampleShape
    guard look.seesPictures else {
      throw TernError(.usage, "image: \(look.model.name) does not read pictures")
    }
    let frame = try DataSource.frame(
      weights.configuration.data, sampleShape: shape,
      pictures: weights.configuration.pictureOptions(for: look.model),
      isPerPixel: look.model.task == .segmentation)
    let samples = ValueDataset(
      values: try frame.values(ofFile: image), labels: [0], sampleShape: shape,
      classNames: look.data.test.classNames)
    return (samples, image.lastPathPart)
  }

  /// What is being looked at, on a terminal.
  private func show(_ text: String) {
    guard CompilationDisplay.isTerminal, !quiet, !json else { return }
    Output.control("\r\u{1B}[K\(text)")
  }

  private func clear() {
    if CompilationDisplay.isTerminal, !quiet, !json { Output.control("\r\u{1B}[K") }
  }
}
