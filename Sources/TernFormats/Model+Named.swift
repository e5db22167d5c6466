import TernCore
import TernNN

extension Model {
  /// The network that a user names: from the zoo, or from a `.yaml`, `.onnx` or `.prototxt` file.
  ///
  /// - Parameters:
  ///   - inputShape: the input [C, H, W], where it is not the network's own.
  ///   - classCount: the number of classes, or of numbers to be predicted, where it is not the network's
  ///     own.
  ///   - task: what it is trained for, where that is not what it is made for.
  ///   - vocabularyCount: how many tokens the data has, where it is text.
  ///   - keepsSoftmax: whether a softmax at the end of an ONNX file or a net of Caffe's stays, where logits are not asked for.
  /// - Throws: ``TernError`` where there is no such network, or a file does not fit the data.
  public static func named(
    _ name: String, inputShape: Shape? = nil, classCount: Int? = nil, task: ModelTask? = nil,
    vocabularyCount: Int? = nil, keepsSoftmax: Bool = false
  ) throws -> Model {
    if ONNXNetwork.isPath(name) {
      let model = try ONNXNetwork.model(
        contentsOf: name, inputShape: inputShape, classCount: classCount, keepsSoftmax: keepsSoftmax
      )
      return try task.map(model.trained) ?? model
    }
    if CaffeNetwork.isPath(name) {
      let model = try CaffeNetwork.model(
        contentsOf: name, inputShape: inputShape, classCount: classCount, keepsSoftmax: keepsSoftmax
      )
      return try task.map(model.trained) ?? model
    }
    guard ModelFile.isPath(name) else {
      let model = try ZooEntry.named(name).model(
        inputShape: inputShape, classCount: classCount, vocabularyCount: vocabularyCount)
      return try task.map(model.trained) ?? model
    }
    var model = try ModelFile.read(name)
    if let task { model = try model.trained(for: task) }
    guard inputShape ?? model.inputShape == model.inputShape,
      classCount ?? model.classCount == model.classCount
    else {
      throw TernError(
        .badData,
        "\(name): is for inputs \(model.inputShape) and \(model.classCount) classes, not for "
          + "\(inputShape ?? model.inputShape) and \(classCount ?? model.classCount)")
    }
    return model
  }

  /// Whether a model's name is that of a file.
  package static func isFile(_ name: String) -> Bool {
    ModelFile.isPath(name) || ONNXNetwork.isPath(name) || CaffeNetwork.isPath(name)
  }

  /// The files that a model's name stands for, weights beside it too.
  package static func files(of name: String) throws -> [String] {
    ONNXNetwork.isPath(name) ? try [name] + ONNXModel(contentsOf: name).externalPaths : [name]
  }
}
