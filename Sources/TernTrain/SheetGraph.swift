import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// A graph that makes a sheet of pictures of what a network has learnt.
struct SheetGraph {
  static let picturesOutput = "pictures"
  /// The samples a sheet is made of at most.
  static let sampleCount = 64

  let graph: Graph
  let columns: Int

  /// `nil` where the objective has nothing to show.
  ///
  /// - Parameter availableCount: the samples there are.
  init?(
    model: Model, objective: any Objective, seed: UInt64, variablePrefix: String,
    availableCount: Int
  ) throws {
    let builder = GraphBuilder()
    let context = LayerContext.evaluation(builder, seed: seed, variablePrefix: variablePrefix)
    let samples = SampleInputs(
      builder, model: model, batchSize: min(Self.sampleCount, availableCount))
    guard let sheet = try objective.sheet(of: model, on: samples, in: context) else { return nil }
    builder.output(Self.picturesOutput, sheet.pictures)
    graph = builder.graph
    columns = sheet.columns
  }
}

/// A ``SheetGraph`` on its device.
struct SheetExecutable {
  private let executable: Executable
  private let columns: Int
  private let shape: Shape

  init(_ graph: SheetGraph, _ executable: Executable) {
    self.executable = executable
    columns = graph.columns
    shape = graph.graph.type(graph.graph.output(named: SheetGraph.picturesOutput)!).shape
  }

  /// The first samples that `loader` delivers, as the network renders them.
  func picture(_ loader: BatchLoader, normalization: Normalization) throws -> SheetPicture {
    if executable.inputIndex(TrainingGraph.imagesInput) != nil, let batch = try loader.next() {
      try executable.upload(batch)
    }
    try executable.step()
    let values = try executable.read(SheetGraph.picturesOutput).floats
    return SheetPicture(values, shape: shape, columns: columns, normalization: normalization)
  }
}

/// Pictures laid out in rows, one pixel apart, as bytes [H, W, C].
struct SheetPicture {
  let pixels: [UInt8]
  let width: Int
  let height: Int
  /// 1 for grey, 3 for red, green, blue.
  let channels: Int

  /// - Parameter shape: [N, C, H, W]. Of other than one or three channels the first is shown.
  init(_ values: [Float], shape: Shape, columns: Int, normalization: Normalization) {
    let (count, depth, tileHeight, tileWidth) = (shape[0], shape[1], shape[2], shape[3])
    let channels = depth == 3 ? 3 : 1
    let rows = (count + columns - 1) / columns
    let (width, height) = (columns * (tileWidth + 1) - 1, rows * (tileHeight + 1) - 1)
    var pixels = [UInt8](repeating: 0, count: width * height * channels)
    for index in 0..<count {
      let (row, column) = index.quotientAndRemainder(dividingBy: columns)
      for c in 0..<channels {
        for y in 0..<tileHeight {
          for x in 0..<tileWidth {
            let value = Double(values[((index * depth + c) * tileHeight + y) * tileWidth + x])
            let level = value * normalization.deviations[c] + normalization.means[c]
            let target = (row * (tileHeight + 1) + y) * width + column * (tileWidth + 1) + x
            pixels[target * channels + c] = UInt8((min(max(level, 0), 1) * 255).rounded())
          }
        }
      }
    }
    (self.pixels, self.width, self.height, self.channels) = (pixels, width, height, channels)
  }
}
