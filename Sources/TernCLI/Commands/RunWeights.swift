import ArgumentParser
import Tern

/// The arguments that name a trained network: a run, or a model with its weights.
struct RunWeights {
  let configuration: TrainingConfiguration
  var path: String { weights.path }
  private let weights: WeightsFile
  var file: Safetensors { weights.file }
  /// The data that a run was trained on, as it was named there.
  let trainingData: String?

  /// - Parameters:
  ///   - run: the folder of a run; or
  ///   - model, weights: a model and the file of its weights.
  ///   - checkpoint: which of the run's.
  ///   - overrides: settings that replace the run's own.
  ///   - verb: what the user wants to do, for the message where neither is given.
  init(
    run runPath: String?, model: String?, weights: String?, checkpoint: String,
    overrides: [String: AttributeValue] = [:], verb: String
  ) throws {
    var settings: [String: AttributeValue] = [:]
    let path: String
    if let runPath {
      guard model == nil, weights == nil else {
        throw TernError(.usage, "give a run, or --model and --weights, not both")
      }
      let run = try RunDirectory.open(path: runPath)
      var configuration = try run.configuration()
      configuration.model = run.modelPath(configuration.model)
      // What is given besides is meant from here.
      configuration.data = configuration.locatedData
      configuration.imageRoot = configuration.pictureRoot
      configuration.workingDirectory = nil
      settings = Dictionary(
        uniqueKeysWithValues: configuration.settings.map { ($0.name, $0.value) })
      guard ["last", "best"].contains(checkpoint) else {
        throw TernError(.usage, "checkpoint: expected last or best, got '\(checkpoint)'")
      }
      path = run.checkpointPath(checkpoint) + "/" + Checkpoint.weightsFile
    } else {
      // An ONNX file has its own.
      let own = model.flatMap { ONNXNetwork.isPath($0) ? $0 : nil }
      guard let model, let weights = weights ?? own else {
        throw TernError(.usage, "\(verb) what? give a run, or --model and --weights")
      }
      settings["model"] = .string(model)
      path = weights
    }
    if case .string(let data)? = settings["data"] {
      trainingData = data
    } else {
      trainingData = nil
    }
    settings.merge(overrides) { _, new in new }
    configuration = try TrainingConfiguration(settings)
    self.weights = try WeightsFile(path)
  }

  /// The data whose test set is measured: the run's own, also where it is spelled otherwise, or other
  /// data, held against what the network was trained on.
  ///
  /// - Parameter asked: the data that was asked for, if any was.
  func testData(_ asked: String?, normalize: String = "auto") throws -> TrainingData {
    guard let asked, let own = trainingData, !DataSource.isSame(own, asked),
      let description = SampleDescription(file.metadata)
    else { return try TrainingData(configuration, description: file.metadata) }
    return try TrainingData(
      testing: asked, trainedOn: own, description, normalize: normalize,
      onError: configuration.onError,
      model: try Model.named(configuration.model, task: configuration.chosenTask()),
      settings: configuration)
  }

  /// Sets all variables of a session.
  func load(into session: Session) throws {
    let (named, naming) = weights.named(as: Set(session.variableNames))
    if let note = weights.note { Output.progress(note) }
    if let naming { Output.progress(naming) }
    try session.load(
      named.tensors, of: configuration.model, place: "\(path): ", unread: named.unread,
      requiresFinite: false)
  }
}
