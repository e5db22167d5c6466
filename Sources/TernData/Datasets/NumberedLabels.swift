import TernCore

/// The labels of another dataset as the numbers they are, [1] float32, where those are to be predicted.
struct NumberedLabels<Labelled: Dataset>: DatasetWrapper {
  private let labelled: Labelled
  /// By class.
  private let numbers: [Float]

  var base: any Dataset { labelled }
  var targetType: TensorType { TensorType([1], .float32) }
  var classNames: [String] { ["label"] }

  /// - Parameter path: what an error calls the data.
  /// - Throws: ``TernError`` of kind `badData` where a label is no number.
  init(_ labelled: Labelled, path: String) throws {
    self.init(
      labelled,
      try labelled.classNames.map { name in
        guard let number = Float(name), number.isFinite else {
          throw TernError(.badData, "\(path): label '\(name)' where numbers are to be predicted")
        }
        return number
      })
  }

  private init(_ labelled: Labelled, _ numbers: [Float]) {
    (self.labelled, self.numbers) = (labelled, numbers)
  }

  func label(_ index: Int) -> Int32 { 0 }

  func copyTarget(_ index: Int, to destination: UnsafeMutableRawPointer) throws {
    var label = Int32(0)
    try labelled.copyTarget(index, to: &label)
    destination.storeBytes(of: numbers[Int(label)], as: Float.self)
  }

  /// The same numbers of a part of the samples.
  private func part<Part: Dataset>(_ part: Part) -> any Dataset {
    NumberedLabels<Part>(part, numbers)
  }
}

extension NumberedLabels: DatasetOfRuns where Labelled: DatasetOfRuns {
  func holdingOut(_ part: Double) -> (first: any Dataset, second: any Dataset) {
    let parts = labelled.holdingOut(part)
    return (self.part(parts.first), self.part(parts.second))
  }
}
