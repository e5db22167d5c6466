import TernCore
import TernGraph
import TernNN
import TernRuntime

/// A network with its weights on a device, to be called.
///
/// ```swift
/// let network = try TrainedNetwork(model, weights: "weights.safetensors", on: device)
/// let outputs = try network(HostTensor(repeating: 0.5, [1, 4]))
/// ```
public final class TrainedNetwork {
  /// The network.
  public let model: Model
  private let session: Session
  /// By batch size.
  private var executables: [Int: Executable] = [:]

  /// - Parameters:
  ///   - path: a safetensors file, or the folder of a run.
  ///   - batchSize: what is compiled at once; other batches are compiled when they come.
  /// - Throws: ``TernError`` where the file is missing or damaged, or lacks a parameter.
  public convenience init(
    _ model: Model, weights path: String, on device: any Device, batchSize: Int = 1
  ) throws {
    let names = try model.inferenceGraph(batchSize: model.ownBatchSize).context.parameters.map(
      \.name)
    let weights = try WeightsFile(path)
    try self.init(
      model, weights: weights.named(as: Set(names)).file.tensors, on: device,
      batchSize: batchSize, from: "\(weights.path): ")
  }

  /// - Parameter weights: parameters and running statistics by name.
  /// - Throws: ``TernError`` of kind `badData` where one is missing or has another shape.
  public convenience init(
    _ model: Model, weights: [String: HostTensor], on device: any Device, batchSize: Int = 1
  ) throws {
    try self.init(model, weights: weights, on: device, batchSize: batchSize, from: "weights: ")
  }

  private init(
    _ model: Model, weights: [String: HostTensor], on device: any Device, batchSize: Int,
    from place: String
  ) throws {
    self.model = model
    session = Session(device: device)
    executables[batchSize] = try session.compile(model.inferenceGraph(batchSize: batchSize).graph)
    // What inference does not read, such as auxiliary heads, has no variable.
    try session.load(weights, of: model.name, place: place)
  }

  /// The network's outputs for a batch of any size; see ``outputs(for:)``.
  public func callAsFunction(_ inputs: HostTensor...) throws -> [HostTensor] {
    try outputs(for: inputs)
  }

  /// The network's outputs, in the order of ``Model/outputNames``, for a batch of any size.
  ///
  /// - Parameter inputs: one for each of the network's, [N, …], in their order.
  /// - Throws: ``TernError`` of kind `usage` where an input has another shape or type.
  public func outputs(for inputs: [HostTensor]) throws -> [HostTensor] {
    let count = inputs.first?.shape.first ?? 0
    guard inputs.count == model.inputs.count, count > 0 else {
      throw TernError(
        .usage, "model \(model.name) reads \(model.inputs.count) inputs [N, …], got \(inputs.count)"
      )
    }
    for (field, value) in zip(model.inputs, inputs) where value.type != field.batched(count) {
      throw TernError(
        .usage, "input \(field.name): expected \(field.batched(count)), got \(value.type)")
    }
    let executable =
      try executables[count] ?? session.compile(model.inferenceGraph(batchSize: count).graph)
    executables[count] = executable
    // A network may leave an input unread.
    for (field, value) in zip(model.inputs, inputs) {
      if let index = executable.inputIndex(field.name) {
        try executable.upload(value, toInput: index)
      }
    }
    try executable.step()
    return try model.outputNames.map { try executable.read($0) }
  }
}
