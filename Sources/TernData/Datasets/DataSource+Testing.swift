import TernCore

extension DataSource {
  /// Opens data that a trained network is to be measured on: its test set; where it comes without
  /// one, its validation set, and where it has neither, all of it.
  ///
  /// Everything is held against what the network was trained on: classes and columns are found by
  /// their names, and folders or labels may lack some of those it knows. Pictures of `images:DIR`
  /// become grey or coloured, and of the size, as the network takes them.
  ///
  /// - Parameters:
  ///   - trainingData: the data that the network was trained on, which decides what of a picture
  ///     it sees.
  ///   - pictures: how picture files became samples there; their shape is that of `known`.
  ///   - known: its samples.
  /// - Throws: ``TernError`` also where samples, classes or columns are not the network's, or there
  ///   are none.
  public static func openTestSet(
    _ specification: String, roots: [String] = standardRoots, trainedOn trainingData: String,
    pictures: PictureOptions = PictureOptions(), known: TrainedSamples,
    onError: ItemErrorPolicy = .stop,
    targets: TargetSelection = TargetSelection(), inputs: [Field] = []
  ) throws -> DataSource {
    let parts = try DataOpener(
      roots: roots, known: known, pictures: pictures,
      view: pictures.view(trainedOn: trainingData), onError: onError, measures: true,
      selection: targets, inputs: inputs
    ).open(specification)
    guard let part = parts.test ?? parts.validation ?? parts.training else {
      throw TernError(.badData, "\(specification): no samples in it")
    }
    var notes = parts.notes
    if parts.test == nil, parts.validation == nil {
      notes.insert("there is no test set: all samples are measured", at: 0)
    }
    return DataSource(measuring: part, notes, specification)
  }
}
