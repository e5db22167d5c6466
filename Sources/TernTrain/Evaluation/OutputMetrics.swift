/// What is measured of all outputs of a network and their targets together, gathered batch by batch.
public protocol OutputMetrics: Sendable {
  /// Adds a batch.
  ///
  /// - Parameters:
  ///   - outputs: of the network, [N, …], row by row.
  ///   - targets: what they are held against, as a batch has it.
  ///   - loss: the mean loss of the batch.
  ///   - weight: what that is the mean over.
  ///   - sampleCount: N
  mutating func add(
    outputs: [Float], targets: UnsafeRawBufferPointer, loss: Double, weight: Double,
    sampleCount: Int)

  /// The part of what was answered that is right; `nil` where numbers are predicted.
  var accuracyOfAll: Double? { get }

  /// What logs show besides loss and accuracy, by the names of ``Metric``.
  var values: [String: Double] { get }
}

extension ClassificationMetrics: OutputMetrics {
  public mutating func add(
    outputs: [Float], targets: UnsafeRawBufferPointer, loss: Double, weight: Double,
    sampleCount: Int
  ) {
    add(
      logits: outputs, labels: Array(targets.bindMemory(to: Int32.self)), loss: loss,
      weight: weight, sampleCount: sampleCount)
  }

  public var accuracyOfAll: Double? { accuracy }
  public var values: [String: Double] {
    switch furtherMetric {
    case .meanIoU: [Metric.meanIoU.name: meanIntersectionOverUnion]
    case .auc: auc.map { [Metric.auc.name: $0] } ?? [:]
    default: [:]
    }
  }
}
