import TernCore
import TernGraph
import TernNN
import TernRuntime

/// A network with its weights on a device, to be called.
///
/// ```swift
/// let network = try TrainedNetwork(model, weights: "weights.safetensors")
/// let outputs = try network(HostTensor([1, 4], [1, 2, 3, 4]))
/// ```
public final class TrainedNetwork {
  /// The network.
  public let model: Model
  private let session: Session
  /// By batch size.
  private var executables: [Int: Executable] = [:]

  /// - Parameter weights: a safetensors file, or the folder of a run.
  /// - Throws: ``TernError`` where the file is missing or damaged, or lacks a parameter.
  public convenience init(_ model: Model, weights path: String, on device: any Device) throws {
    let weights = try WeightsFile(path)
    try self.init(model, weights: weights.file.tensors, on: device, from: path)
  }

  /// - Parameter weights: parameters and running statistics by name.
  /// - Throws: ``TernError`` of kind `badData` where one is missing or has another shape.
  public convenience init(
    _ model: Model, weights: [String: HostTensor], on device: any Device
  ) throws {
    try self.init(model, weights: weights, on: device, from: nil)
  }

  private init(
    _ model: Model, weights: [String: HostTensor], on device: any Device, from path: String?
  ) throws {
    self.model = model
    session = Session(device: device)
    let (graph, context) = try model.inferenceGraph(batchSize: 1)
    executables[1] = try session.compile(graph)
    let place = path.map { "\($0): " } ?? ""
    for parameter in context.parameters {
      guard let value = weights[parameter.name] else {
        throw TernError(.badData, "\(place)there is no tensor \(parameter.name)")
      }
      guard value.shape == parameter.shape else {
        throw TernError(
          .badData,
          "\(place)\(parameter.name): expected shape \(parameter.shape), got \(value.shape)")
      }
      try session.write([parameter.name: value])
    }
  }

  /// The network's outputs for a batch of any size.
  ///
  /// - Parameter inputs: one for each of the network's, [N, …], in their order.
  /// - Throws: ``TernError`` of kind `usage` where an input has another shape or type.
  public func callAsFunction(_ inputs: HostTensor...) throws -> [HostTensor] {
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
