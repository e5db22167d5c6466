import Foundation
import TernCore
import TernData
import TernGraph

/// Tells TensorBoard of a run: losses, accuracies and rates, pictures of the data, how the test set
/// was classified, and on request the distributions of parameters and gradients.
struct TensorBoardLog {
  private let file: EventFile

  /// - Parameter step: the steps done before.
  init(directory: String, step: Int) throws {
    file = try EventFile(directory: directory, step: step)
  }

  /// - Parameter step: the steps done so far.
  func append(_ event: TrainingEvent, step: Int) throws {
    switch event {
    case .step(let event):
      try file.append(
        [
          ("loss/step", .scalar(event.loss)), ("learning_rate", .scalar(event.learningRate)),
          ("speed/images_per_second", .scalar(event.imagesPerSecond)),
          ("speed/data_wait_ms", .scalar(event.dataWaitMilliseconds)),
        ] + (event.lossScale.map { [("loss_scale", .scalar($0))] } ?? []), step: event.step)
    case .epoch(let epoch):
      var values: [(String, EventFile.Value)] = [
        ("loss/train", .scalar(epoch.trainLoss)), ("loss/test", .scalar(epoch.test.loss)),
      ]
      if let validation = epoch.validation {
        values.append(("loss/validation", .scalar(validation.loss)))
      }
      for (set, result) in [("test", epoch.test), ("validation", epoch.validation)] {
        if let accuracy = result?.accuracy, accuracy.isFinite {
          values.append(("accuracy/\(set)", .scalar(accuracy)))
        }
      }
      for (name, value) in epoch.metrics.sorted(by: { $0.key < $1.key }) {
        values.append(("metrics/\(name)", .scalar(value)))
      }
      try file.append(values, step: step)
    case .start, .firstStep, .gradients, .checkpoint, .end: break
    }
  }

  func append(_ histograms: [(tag: String, values: [Float])], step: Int) throws {
    try file.append(histograms.map { ($0.tag, .histogram(Histogram($0.values))) }, step: step)
  }

  /// The first samples of the training set, as they are stored.
  func appendSamples(of set: any Dataset, count: Int = 8) throws {
    let pictures = (0..<min(count, set.count)).compactMap { SamplePicture(set, $0) }
    guard !pictures.isEmpty else { return }
    try file.append(
      pictures.enumerated().map { index, picture in
        (
          "samples/\(index)",
          .image(
            picture.png, width: picture.width, height: picture.height, channels: picture.channels)
        )
      }, step: 0)
  }

  /// The confusion matrix as a picture: a row per true class, the darker the more.
  func append(confusion: [[Int]], step: Int) throws {
    let scale = max(1, 200 / max(confusion.count, 1))
    let side = confusion.count * scale
    guard side > 0 else { return }
    var pixels = [UInt8](repeating: 255, count: side * side)
    for (row, counts) in confusion.enumerated() {
      let total = max(counts.reduce(0, +), 1)
      for (column, count) in counts.enumerated() {
        let shade = UInt8(255 - 255 * count / total)
        for y in row * scale..<(row + 1) * scale {
          for x in column * scale..<(column + 1) * scale { pixels[y * side + x] = shade }
        }
      }
    }
    try file.append(
      [
        (
          "confusion",
          .image(
            PNGWriter.encoded(pixels, width: side, height: side, channels: 1), width: side,
            height: side, channels: 1)
        )
      ], step: step)
  }
}
