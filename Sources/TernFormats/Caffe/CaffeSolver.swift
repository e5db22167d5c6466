import Foundation
import TernCore
import TernData

/// A training run as a solver's file describes it, in Tern's settings.
///
/// Source: BVLC's documentation of solvers and the defaults of caffe.proto.
package struct CaffeSolver: Sendable {
  /// Settings of a run by their names in `config.yaml`, the network among them.
  package let settings: [String: AttributeValue]
  /// What of the file Tern does otherwise, a line each.
  package let notes: [String]

  /// Reads a file.
  ///
  /// - Throws: ``TernError`` with the line that is wrong.
  package init(contentsOf path: String) throws {
    let message = try PrototxtReader.message(contentsOf: path)
    do { (settings, notes) = try Self.read(message, path) } catch let fault as PrototxtFault {
      throw fault.error(in: path)
    }
  }

  private static let count = 1...1 << 40

  private static func read(
    _ file: PrototxtMessage, _ path: String
  ) throws -> ([String: AttributeValue], [String]) {
    if let wrong = file.fields.first(where: { !used.contains($0.name) && !left.contains($0.name) })
    {
      let hint = EditDistance.nearest(to: wrong.name, among: used)
      throw PrototxtFault(
        line: wrong.line,
        text: "a solver has no field '\(wrong.name)' that is known here"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
    let inner = file.last("net_param") ?? file.last("train_net_param")
    guard let net = file.last("net") ?? file.last("train_net") ?? inner else {
      throw PrototxtFault(line: 1, text: "no 'net', the file of the network")
    }
    // A net that stands in the file itself is read from there.
    let model = try inner == nil ? located(net.text(), beside: path) : path
    var settings: [String: AttributeValue] = ["model": .string(model)]
    if let test = file.last("test_net"), let data = try data(of: model, testedBy: test, path) {
      settings["data"] = .string(data)
    }
    func set(_ key: String, _ number: Double?) {
      if let number { settings[key] = .double(number) }
    }
    func set(_ key: String, _ count: Int?) { if let count { settings[key] = .int(count) } }
    set("lr", try file.number("base_lr"))
    set("steps", try file.integer("max_iter", in: count))
    set("accumulate", try file.integer("iter_size", in: count))
    set("log_every", try file.integer("display", in: 0...1 << 40).flatMap { $0 == 0 ? nil : $0 })
    set("save_every", try file.integer("snapshot", in: 0...1 << 40).flatMap { $0 == 0 ? nil : $0 })
    if let weights = file.last("weights") {
      settings["init"] = .string(located(try weights.text(), beside: path))
    }
    if let state = try file.message("train_state"),
      let field = state.fields.first(where: { $0.name != "phase" })
    {
      throw PrototxtFault(
        line: field.line, text: "train_state: a \(field.name) of the net is not known here")
    }
    if let seed = try file.integer("random_seed", in: -1...1 << 40), seed >= 0 { set("seed", seed) }
    if let clip = try file.number("clip_gradients"), clip > 0 { set("clip_grad", clip) }
    let decay = try file.number("weight_decay") ?? 0
    switch try file.word("regularization_type") ?? "L2" {
    case "L2": if decay != 0 { settings["weight_decay"] = .double(decay) }
    case "L1": if decay != 0 { settings["l1"] = .double(decay) }
    case let other:
      throw file.last("regularization_type")!.fault("expected L2 or L1, got '\(other)'")
    }
    if settings["weight_decay"] == nil { settings["weight_decay"] = .double(0) }
    try readOptimizer(file, &settings)
    try readPolicy(file, &settings)
    var notes: [String] = []
    let others = left.filter { file.last($0) != nil }
    if !others.isEmpty {
      notes.append("\(path): left to Tern: \(others.joined(separator: ", "))")
    }
    return (settings, notes)
  }

  /// The data that two nets name, one for training, the other for testing; `nil` where they name none that is read
  /// here.
  private static func data(
    of model: String, testedBy field: PrototxtField, _ path: String
  ) throws -> String? {
    guard FileSystem.exists(model) else { return nil }
    let test = located(try field.text(), beside: path)
    return try CaffeNetwork.data(of: model, testedBy: test)
  }

  /// What is read.
  private static let used = [
    "net", "train_net", "net_param", "train_net_param", "test_net", "weights", "base_lr",
    "max_iter",
    "iter_size", "display", "snapshot", "random_seed",
    "clip_gradients", "weight_decay", "regularization_type", "type", "solver_type", "momentum",
    "momentum2", "rms_decay", "delta", "lr_policy", "gamma", "power", "stepsize", "stepvalue",
  ]

  /// What Tern measures, writes and runs on as it does.
  private static let left = [
    "test_net_param", "test_iter", "test_interval", "test_initialization", "test_compute_loss",
    "snapshot_prefix", "snapshot_format", "snapshot_after_train", "snapshot_diff", "solver_mode",
    "device_id", "debug_info", "average_loss", "layer_wise_reduce", "test_state", "train_state",
  ]

  private static func readOptimizer(
    _ file: PrototxtMessage, _ settings: inout [String: AttributeValue]
  ) throws {
    let field = file.last("type") ?? file.last("solver_type")
    let type = try field?.word() ?? "SGD"
    let momentum = try file.number("momentum")
    let delta = try file.number("delta") ?? 1e-8
    switch type.uppercased() {
    case "SGD", "0":
      settings["optimizer"] = .string("sgd")
      settings["momentum"] = .double(momentum ?? 0)
    case "NESTEROV", "1":
      settings["optimizer"] = .string("sgd")
      settings["momentum"] = .double(momentum ?? 0)
      settings["nesterov"] = .bool(true)
    case "ADAGRAD", "2":
      settings["optimizer"] = .string("adagrad")
      settings["eps"] = .double(delta)
    case "RMSPROP", "3":
      settings["optimizer"] = .string("rmsprop")
      settings["rho"] = .double(try file.number("rms_decay") ?? 0.99)
      settings["eps"] = .double(delta)
    case "ADADELTA", "4":
      settings["optimizer"] = .string("adadelta")
      settings["rho"] = .double(momentum ?? 0)
      settings["eps"] = .double(delta)
    case "ADAM", "5":
      settings["optimizer"] = .string("adam")
      settings["betas"] = .list(
        [.double(momentum ?? 0), .double(try file.number("momentum2") ?? 0.999)])
      settings["eps"] = .double(delta)
    default:
      let known = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"]
      let hint = EditDistance.nearest(to: type, among: known)
      throw field!.fault(
        "'\(type)' is no solver that is known" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
  }

  /// How the rate goes on, by steps.
  private static func readPolicy(
    _ file: PrototxtMessage, _ settings: inout [String: AttributeValue]
  ) throws {
    let policy = try file.word("lr_policy") ?? "fixed"
    func number(_ name: String) throws -> AttributeValue {
      guard let number = try file.number(name) else {
        throw PrototxtFault(line: file.line, text: "lr_policy \(policy) needs '\(name)'")
      }
      return .double(number)
    }
    if policy != "fixed" { settings["lr_unit"] = .string("step") }
    switch policy {
    case "fixed": settings["schedule"] = .string("constant")
    case "step":
      settings["schedule"] = .string("step")
      settings["lr_gamma"] = try number("gamma")
      guard let size = try file.integer("stepsize", in: count) else {
        throw PrototxtFault(line: file.line, text: "lr_policy step needs 'stepsize'")
      }
      settings["lr_step"] = .int(size)
    case "multistep":
      settings["schedule"] = .string("multi-step")
      settings["lr_gamma"] = try number("gamma")
      settings["lr_milestones"] = .list(
        try file.integers("stepvalue", in: count).map(AttributeValue.int))
    case "exp":
      settings["schedule"] = .string("exponential")
      settings["lr_gamma"] = try number("gamma")
    case "inv":
      settings["schedule"] = .string("inverse")
      settings["lr_gamma"] = try number("gamma")
      settings["lr_power"] = try number("power")
    case "poly":
      settings["schedule"] = .string("polynomial")
      settings["lr_power"] = try number("power")
    case "sigmoid":
      settings["schedule"] = .string("sigmoid")
      settings["lr_gamma"] = try number("gamma")
      guard let size = try file.integer("stepsize", in: count) else {
        throw PrototxtFault(line: file.line, text: "lr_policy sigmoid needs 'stepsize'")
      }
      settings["lr_step"] = .int(size)
    default:
      throw file.last("lr_policy")!.fault(
        "expected fixed, step, multistep, exp, inv, poly or sigmoid, got '\(policy)'")
    }
  }

  /// A file that is named from where a program is started, or lies beside the file that names it.
  static func located(_ name: String, beside path: String) -> String {
    if FileSystem.exists(name) { return name }
    let folder = path.parentPath
    for candidate in [name, name.split(separator: "/").last.map(String.init) ?? name] {
      let beside = folder.appendingPath(candidate)
      if FileSystem.exists(beside) { return beside }
    }
    return name
  }
}
