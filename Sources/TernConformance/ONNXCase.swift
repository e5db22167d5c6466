import Foundation
import Tern
import TernFormats

/// A folder of ONNX's backend tests: `model.onnx`, and for each set of data `test_data_set_N` with
/// `input_N.pb` and `output_N.pb`; or a network `NAME.onnx` beside `NAME_output_N.pb`, whose input is what onnx's runner
/// makes up.
package struct ONNXCase: Sendable {
  package let name: String
  private let model: String
  private let data: [DataSet]

  /// Where the inputs and outputs of a run are.
  private enum DataSet: Sendable {
    case folder(String)
    /// What the files of the outputs begin with.
    case outputs(String)

    /// `nil` where the input is made up.
    func input(_ position: Int) -> String? {
      if case .folder(let path) = self { "\(path)/input_\(position).pb" } else { nil }
    }

    func output(_ position: Int) -> String {
      switch self {
      case .folder(let path): "\(path)/output_\(position).pb"
      case .outputs(let prefix): "\(prefix)_output_\(position).pb"
      }
    }
  }

  /// What onnx's own runner asks for, `onnx/backend/test/runner`.
  private static let relativeTolerance = 1e-3
  private static let absoluteTolerance = 1e-7

  /// Cases whose data is not what their network computes, and why.
  private static let faultyCases = [
    // x − r·v/(√h + ε): 0.759136 with ε = 0.01, 0.755959 with the 1e-6 that a node without ε has.
    "test_adam_multiple":
      "its outputs were computed with an epsilon of 0.01, which its node does not have"
  ]

  /// The cases in a folder and its folders, by name.
  package static func cases(in folder: String) throws -> [ONNXCase] {
    guard let kind = FileSystem.kind(folder), kind == .folder else {
      throw TernError(.notFound, "\(folder): no such folder")
    }
    var cases: [ONNXCase] = []
    func search(_ folder: String, depth: Int) {
      let names = (FileSystem.names(in: folder) ?? []).sorted()
      if FileSystem.exists(folder + "/model.onnx") {
        let sets = names.filter { $0.hasPrefix("test_data_set_") }
        cases.append(
          ONNXCase(
            name: folder.lastPathPart, model: folder + "/model.onnx",
            data: sets.map { .folder(folder.appendingPath($0)) }))
        return
      }
      for name in names {
        let path = folder.appendingPath(name)
        let prefix = String(path.dropLast(".onnx".count))
        if name.hasSuffix(".onnx"), FileSystem.exists(prefix + "_output_0.pb") {
          cases.append(ONNXCase(name: name.pathStem, model: path, data: [.outputs(prefix)]))
        } else if depth > 0, FileSystem.isFolder(path) {
          search(path, depth: depth - 1)
        }
      }
    }
    search(folder, depth: 3)
    guard !cases.isEmpty else {
      throw TernError(
        .notFound, "\(folder): holds no folder with a model.onnx, and no network beside its outputs"
      )
    }
    return cases
  }

  /// Runs the network on a device for each set of its data; a failure of any kind becomes the result's
  /// status.
  package func run(on device: any Device) -> CaseResult {
    var note: String?
    var (operation, comparison) = (
      "",
      Comparison(
        relativeTolerance: Self.relativeTolerance, absoluteTolerance: Self.absoluteTolerance)
    )
    func result(_ status: CaseResult.Status, _ message: String?) -> CaseResult {
      CaseResult(name: name, operation: operation, status: status, message: message)
    }
    do {
      let model = try ONNXModel(contentsOf: self.model)
      operation = Set(model.graph.nodes.map(\.operatorName)).sorted().joined(separator: "+")
      guard !data.isEmpty else { return result(.error, "no test_data_set") }
      for set in data { try compare(model, set, on: device, &comparison, &note) }
    } catch let unsupported as Unsupported {
      return result(.unsupported, unsupported.reason)
    } catch let error as ONNXNodeError where error.isUnsupported {
      return result(.unsupported, "\(error)")
    } catch { return result(.error, "\(error)") }
    if comparison.failure != nil, let fault = Self.faultyCases[name] {
      return result(.unsupported, "the case is wrong: \(fault)")
    }
    return CaseResult(
      name: name, operation: operation,
      status: comparison.failure == nil ? .passed : .failed,
      maximumAbsoluteError: comparison.maximumAbsoluteError,
      maximumRelativeError: comparison.maximumRelativeError,
      location: comparison.failure?.location, message: comparison.failure?.message ?? note)
  }

  private struct Unsupported: Error { let reason: String }

  /// - Parameter note: what is to be said of how it was computed.
  private func compare(
    _ model: ONNXModel, _ set: DataSet, on device: any Device, _ comparison: inout Comparison,
    _ note: inout String?
  ) throws {
    for info in model.graph.inputs + model.graph.outputs where info.type == nil {
      throw Unsupported(reason: "'\(info.name)' is a \(info.kind)")
    }
    let builder = GraphBuilder()
    let context = LayerContext(builder: builder, mode: .inference)
    let indices = ONNXNetwork.indexInputs(of: model.graph)
    var (inputs, arrays) = ([String: ONNXValue](), [String: HostTensor]())
    // Weights are inputs too, in old files, without data of their own.
    let last = set.input(model.graph.inputs.count - 1)
    let fed =
      last.map(FileSystem.exists) ?? false
      ? model.graph.inputs : model.graph.inputs.filter { model.graph.initializers[$0.name] == nil }
    let given = try fed.enumerated().map { position, info in
      try set.input(position).map { try known(info, $0) } ?? madeUp(info)
    }
    let large = zip(fed, given).lazy.compactMap { info, array in
      Self.beyondFloat32(array).map { "'\(info.name)' is double and holds \($0), beyond float32" }
    }.first
    if let large { note = "\(large): computed as constants are, in float64, without the device" }
    for (info, array) in zip(fed, given) {
      guard Shape(array.shape).isUsable, large == nil else {
        // Nothing is computed with on a device; the shape may be what counts.
        inputs[info.name] = .host(array)
        continue
      }
      let isIndex = indices.contains(info.name)
      let tensor = try unsupportedFault {
        try isIndex ? array.indexTensor() : array.tensor(info.name)
      }
      arrays[info.name] = tensor
      inputs[info.name] = .device(
        try builder.input(info.name, tensor.type), array.type, known: array)
    }
    let outputs = try GraphImporter(model, in: context).run(inputs)
    var computed: [Int: String] = [:]
    for (index, value) in outputs.enumerated() {
      if case .initializer(let tensor) = value, tensor.type.isReal {
        throw Unsupported(reason: "an output that is a weight")
      }
      guard case .device(let tensor, _, _) = value else { continue }
      if let large { throw Unsupported(reason: large) }
      computed[index] = "output \(index)"
      builder.output("output \(index)", tensor)
    }
    var results: [String: HostTensor] = [:]
    if !computed.isEmpty {
      let session = Session(device: device)
      let executable = try session.compile(builder.graph)
      try session.write(
        Dictionary(
          uniqueKeysWithValues: context.parameters.map {
            ($0.name, $0.initializer.value($0.shape, name: $0.name, seed: 0))
          }))
      let read = Set(executable.plan.graph.inputs.map { executable.plan.graph[$0].name })
      results = try executable.run(arrays.filter { read.contains($0.key) })
    }
    for (index, (info, value)) in zip(model.graph.outputs, outputs).enumerated() {
      let expected = try known(info, set.output(index))
      let got: HostArray
      switch value {
      case .host(let array): got = array
      case .initializer(let tensor): got = try tensor.array()
      case .device:
        let tensor = results[computed[index]!]!
        got = HostArray(.float, tensor.shape.dimensions, real: tensor.doubles)
      }
      guard got.shape == expected.shape else {
        comparison.fail(info.name, "expected shape \(expected.shape), got \(got.shape)")
        continue
      }
      // Both not a number agree.
      let bothNaN = zip(got.doubles, expected.doubles).map { $0.isNaN && $1.isNaN }
      func plain(_ values: [Double]) -> [Double] { zip(values, bothNaN).map { $1 ? 0 : $0 } }
      comparison.compare(
        info.name, got: plain(got.doubles), expected: plain(expected.doubles),
        shape: Shape(expected.shape))
    }
  }

  /// 0, 1/n, 2/n and so on, of n elements, as onnx's runner has it.
  private func madeUp(_ info: ONNXValueInfo) throws -> HostArray {
    guard info.type == .float else {
      throw Unsupported(
        reason: "'\(info.name)' is no float, of which onnx's runner makes up inputs")
    }
    let shape = (info.shape ?? []).map { extent in
      if case .fixed(let count) = extent { count } else { 1 }
    }
    try unsupportedFault { try IndexMap.check(shape) }
    let count = shape.reduce(1, *)
    return HostArray(
      .float, shape, rounding: (0..<count).map { Double($0) / Double(count) })
  }

  private func known(_ info: ONNXValueInfo, _ path: String) throws -> HostArray {
    let tensor = try ONNXModel.tensor(contentsOf: path)
    if let declared = info.type, declared != tensor.type {
      throw Unsupported(
        reason:
          "'\(info.name)' is \(declared.name) in the network and \(tensor.type.name) in \(path)")
    }
    return try unsupportedFault { try tensor.array() }
  }

  /// A number that no device holds.
  private static func beyondFloat32(_ array: HostArray) -> Double? {
    guard array.type == .double else { return nil }
    return array.doubles.first { $0.isFinite && $0.magnitude > 0x1.fffffep127 }
  }

  private func unsupportedFault<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch ONNXFault.unsupported(let reason) {
      throw Unsupported(reason: reason)
    }
  }
}
