import TernCore
import TernData
import TernNN
import TernRuntime

/// Computes class probabilities for samples, or for their pixels.
public final class Predictor {
  private let executable: Executable
  private let batchSize: Int
  private let classCount: Int
  private let output: String

  /// - Parameter session: holds the network's parameters, or will.
  public init(session: Session, model: Model, batchSize: Int) throws {
    executable = try session.compile(model.inferenceGraph(batchSize: batchSize).graph)
    self.batchSize = batchSize
    output = model.outputNames[0]
    classCount = model.classCount
  }

  /// The probabilities of the classes, sample by sample.
  ///
  /// - Precondition: `samples` are at least one, at most as many as the batch size, and of the
  ///   model's input shape.
  public func predict(_ samples: any Dataset, normalization: Normalization) throws -> [[Double]] {
    let logits = try logits(of: samples, normalization)
    return (0..<samples.count).map {
      ClassificationMetrics.softmax(Array(logits[$0 * classCount..<($0 + 1) * classCount]))
    }
  }

  /// The network's outputs, sample by sample.
  ///
  /// - Precondition: as for ``predict(_:normalization:)``.
  public func outputs(_ samples: any Dataset, normalization: Normalization) throws -> [[Float]] {
    let all = try logits(of: samples, normalization)
    let width = all.count / batchSize
    return (0..<samples.count).map { Array(all[$0 * width..<($0 + 1) * width]) }
  }

  /// The likeliest class of every pixel, sample by sample.
  ///
  /// - Precondition: as for ``predict(_:normalization:)``; the model gives scores [N, C, H, W] of at
  ///   most 256 classes.
  package func predictMasks(
    _ samples: any Dataset, normalization: Normalization
  ) throws -> [MaskPicture] {
    let logits = try logits(of: samples, normalization)
    let (height, width) = (samples.sampleShape[1], samples.sampleShape[2])
    let pixelCount = height * width
    return (0..<samples.count).map { sample in
      let first = sample * classCount * pixelCount
      let classes = (0..<pixelCount).map { pixel -> UInt8 in
        let scores = (0..<classCount).map { logits[first + $0 * pixelCount + pixel] }
        return UInt8(scores.indexOfLargest ?? 0)
      }
      return MaskPicture(classes: classes, width: width, height: height)
    }
  }

  private func logits(of samples: any Dataset, _ normalization: Normalization) throws -> [Float] {
    precondition((1...batchSize).contains(samples.count))
    // The network reads whole batches: the last sample fills one up.
    let padded = Subset(samples, (0..<batchSize).map { Int32(min($0, samples.count - 1)) })
    let loader = BatchLoader(padded, batchSize: batchSize, normalization: normalization)
    defer { loader.cancel() }
    guard let batch = try loader.next() else { return [] }
    try executable.upload(batch)
    try executable.step()
    return try executable.read(output).floats
  }
}
