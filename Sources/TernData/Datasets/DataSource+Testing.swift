import TernCore

extension DataSource {
  /// Opens data that a trained network is to be measured on: its test set; where it comes without
  /// one, all of it.
  ///
  /// Classes are found by their names: folders or labels may lack some of those the network knows.
  /// Pictures of `images:DIR` become grey or coloured, and of the size, as the network takes them.
  ///
  /// - Parameters:
  ///   - trainingData: the data that the network was trained on, which decides what of a picture
  ///     it sees.
  ///   - sampleShape: what the network takes.
  ///   - classNames: what it was trained to tell apart.
  /// - Throws: ``TernError`` also where the samples or classes are not the network's.
  public static func openTestSet(
    _ specification: String, trainedOn trainingData: String, sampleShape: Shape,
    classNames: [String]
  ) throws -> any Dataset {
    let parts = specification.split(separator: ":", maxSplits: 1).map(String.init)
    let set: any Dataset
    switch (parts.first, parts.count) {
    case ("images", 2) where sampleShape.rank == 3 && !isSegmentation(parts[1]):
      let folders = try ImageFolderDataset.folders(in: parts[1])
      let part = folders.contains("train") ? ["test", "val"].first(where: folders.contains) : nil
      set = try ImageFolderDataset(
        directory: part.map { "\(parts[1])/\($0)" } ?? parts[1],
        frame: frame(trainingData, sampleShape: sampleShape),
        classNames: classNames)
    case ("csv", 2) where !parts[1].contains(","):
      set = try CSVTable(contentsOf: parts[1]).dataset(classNames)
    case ("npz", 2):
      let sets = try NPZ.open(parts[1])
      set = sets.test ?? sets.training
    default:
      set = try open(specification, imageSize: sampleShape.dimensions.last ?? 1).test
    }
    guard set.sampleShape == sampleShape else {
      throw TernError(
        .badData,
        "\(specification): samples of \(set.sampleShape), the network was trained on \(sampleShape)"
      )
    }
    let largest = set.targetShape.rank == 0 ? (0..<set.count).map(set.label).max() ?? 0 : 0
    guard largest < classNames.count else {
      throw TernError(
        .badData,
        "\(specification): class \(largest), the network was trained on \(classNames.count) classes"
      )
    }
    return Subset(set, (0..<Int32(set.count)).map(\.self), classNames: classNames)
  }
}
