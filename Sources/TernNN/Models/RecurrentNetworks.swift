import TernCore

/// Networks that read an image row by row, as a sequence.
private enum RecurrentNetwork {
  static func entry(_ name: String, source: String, _ cell: Recurrent.Cell) -> ZooEntry {
    ZooEntry(
      name, source: source, inputShape: [1, 28, 28], classCount: 10,
      settings: ["optimizer": .string("adam"), "schedule": .string("cosine")]
    ) { _, classes in
      ImageRows().named("rows")
      Recurrent(cell, hiddenSize: 128).named("rnn")
      Linear(classes).named("fc")
    }
  }
}

extension ZooEntry {
  /// Elman's simple recurrent network, 128 units.
  static let elman = RecurrentNetwork.entry("elman", source: "Elman, 1990", .elman)
  /// 128 cells.
  static let lstm = RecurrentNetwork.entry(
    "lstm", source: "Hochreiter, Schmidhuber, 1997", .lstm)
  /// 128 cells whose gates see them.
  static let lstmPeephole = RecurrentNetwork.entry(
    "lstm-peephole", source: "Gers, Schmidhuber, 2000", .lstmPeephole)
  /// 128 units; the reset gate is applied after the recurrent product, as in PyTorch and cuDNN.
  static let gru = RecurrentNetwork.entry(
    "gru", source: "Cho et al., 2014", .gru(resetsAfter: true))
  /// 128 units; the reset gate is applied before the recurrent product, as in the paper.
  static let gruResetBefore = RecurrentNetwork.entry(
    "gru-reset-before", source: "Cho et al., 2014", .gru(resetsAfter: false))

  /// A time-delay network: convolutions over the rows, with growing delays, and the mean over time.
  ///
  /// Source: Waibel et al., "Phoneme recognition using time-delay neural networks", 1989.
  static let tdnn = ZooEntry(
    "tdnn", source: "Waibel et al., 1989", inputShape: [1, 28, 28], classCount: 10
  ) { _, classes in
    ImageRows().named("rows")
    Functional("transpose", ["dim0": .int(1), "dim1": .int(2)]).named("channels")
    Conv1D(64, kernel: 3).named("conv1")
    Functional.relu.named("relu1")
    Conv1D(64, kernel: 3, dilation: 2).named("conv2")
    Functional.relu.named("relu2")
    Conv1D(128, kernel: 3, dilation: 3).named("conv3")
    Functional.relu.named("relu3")
    Functional("mean", ["dim": .int(2)]).named("time")
    Linear(classes).named("fc")
  }
}
