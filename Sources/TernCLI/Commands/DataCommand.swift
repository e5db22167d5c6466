import ArgumentParser
import Foundation
import Tern

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Look at data.",
    discussion: """
      Example:
        tern data preview --data cifar10:data/cifar --augment cifar --out sheet.png
      """,
    subcommands: [Preview.self, Bench.self])

  struct Preview: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draw samples of the training set on one sheet, as training sees them.",
      discussion: """
        Prints the size of each set, and the classes of the samples row by row.

        Example:
          tern data preview --data fashion-mnist --augment flip,crop:2 --out sheet.png
        """)

    @Option(help: "The data: \(DataSource.forms).")
    var data = "fashion-mnist"
    @Option(
      help: ArgumentHelp(
        "Random changes, as 'tern train' makes them in its first epoch.", valueName: "list"))
    var augment = "none"
    @Option(help: "Samples to draw.")
    var count = 64
    @Option(help: "The seed that chooses and changes the samples.")
    var seed: UInt64 = 0
    @Option(help: "The side of samples made from pictures in files, in pixels.")
    var imageSize = 224
    @Option(help: "The picture to write (PNG).")
    var out = "sheet.png"

    /// Larger sheets are no longer looked at.
    private static let countLimit = 4096
    private static let columns = 8

    func run() throws {
      guard (1...Self.countLimit).contains(count) else {
        throw TernError(.usage, "count: expected 1 to \(Self.countLimit), got \(count)")
      }
      guard (1...4096).contains(imageSize) else {
        throw TernError(.usage, "image-size: expected 1 to 4096 pixels, got \(imageSize)")
      }
      let source = try DataSource.open(data, pictures: PictureOptions(size: imageSize))
      let training = source.training
      guard training.isPictures else {
        throw TernError(
          .usage, "data preview: the samples are vectors of \(training.sampleShape), not pictures")
      }
      let plain = try Normalization("none", statisticsOf: training)
      let shown = min(count, training.count)
      let loader = BatchLoader(
        training, batchSize: shown, normalization: plain, shuffle: (seed, 0),
        augmentation: (try Augmentation(augment).prepared(for: training), seed, 0))
      defer { loader.cancel() }
      guard let batch = try loader.next() else { return }
      let sheet = SheetPicture(
        Array(batch.samples.bindMemory(to: Float.self)),
        shape: Shape([shown] + training.sampleShape.dimensions), columns: min(Self.columns, shown),
        normalization: plain)
      try AtomicFile.write(sheet.png, to: out)
      source.notes.forEach(Output.progress)

      Output.result(
        "training \(Format.count(training.count))  test \(Format.count(source.test.count))  "
          + "samples \(training.sampleShape)  classes \(training.classCount)")
      let names = zip(
        batch.targets.bindMemory(to: Int32.self),
        batch[Field.partnerTargetsName]!.bindMemory(to: Int32.self)
      ).map { own, partner in
        training.classNames[Int(own)]
          + (own == partner ? "" : "+\(training.classNames[Int(partner)])")
      }
      var table = Table(["ROW"] + (1...min(Self.columns, shown)).map(String.init))
      for start in stride(from: 0, to: names.count, by: Self.columns) {
        let row = names[start..<min(start + Self.columns, names.count)]
        let rest = min(Self.columns, shown) - row.count
        table.append(
          ["\(start / Self.columns + 1)"] + row + [String](repeating: "", count: rest))
      }
      Output.result(table.text)
      Output.result(out)
    }
  }
}
