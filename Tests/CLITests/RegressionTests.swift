import Foundation
import Tern
import Testing

/// Numbers, labels and several inputs from the command line.
@Suite struct RegressionTests {
  private let workspace: Workspace

  init() throws { workspace = try Workspace() }

  private func tern(_ line: String) throws -> Command.Result {
    try Command.run(line.split(separator: " ").map(String.init), in: workspace.path)
  }

  /// Trains and gives the values of a parameter.
  private func trained(_ line: String, _ parameter: String) throws -> [Double] {
    let result = try tern("train \(line) --device cpu --out run -q")
    #expect(result.status == 0, "\(result.errors)")
    let path = "\(workspace.path)/run/checkpoints/last/weights.safetensors"
    return try Safetensors(contentsOf: path).tensor(parameter, in: path).doubles
  }

  private static let commute = """
    distance,weekday,minutes
    2.7,1,25
    4.1,1,33
    1.0,0,15
    5.2,1,45
    2.8,0,22
    """

  /// The least squares of five commutes by hand: (bias, distance, weekday) = (6.08613445, 6.53361345,
  /// 2.11274510).
  @Test func leastSquaresAreReached() throws {
    defer { workspace.remove() }
    try workspace.write("commute.csv", Self.commute)
    let weights = try trained(
      "linear --data csv:commute.csv --target minutes --task regression --optimizer sgd "
        + "--normalize none --lr 0.02 --epochs 3000 --batch-size 5 --log-every 100000", "fc.weight")
    for (weight, expected) in zip(weights, [6.53361345, 2.11274510]) {
      #expect(abs(weight - expected) < 1e-4)
    }
    let tested = try JSON(parsing: tern("test run --json --device cpu").output)
    let predictions = [25.83963585, 34.98669468, 12.61974790, 42.17366947, 24.38025210]
    let truth = [25.0, 33, 15, 45, 22]
    let errors: [Double] = zip(predictions, truth).map { $0.0 - $0.1 }
    let mse = errors.reduce(0) { $0 + $1 * $1 } / 5
    let mae = errors.reduce(0) { $0 + abs($1) } / 5
    let variance = truth.map { ($0 - 28) * ($0 - 28) }.reduce(0, +) / 5
    for (name, expected) in [("mse", mse), ("mae", mae), ("r2", 1 - mse / variance)] {
      let value = tested[name]?.doubleValue ?? .nan
      #expect(abs(value - expected) < 1e-4, "\(name) \(value)")
    }
    #expect(tested["samples"]?.doubleValue == 5)
    let shown = try tern("predict run --index 0 --device cpu").output
    #expect(shown == "0 (is 25.0): minutes 25.8396\n")
  }

  /// By default numbers are scaled for the network, and what is reported is in the units of the data.
  @Test func reportedIsInTheUnitsOfTheData() throws {
    defer { workspace.remove() }
    try workspace.write("commute.csv", Self.commute)
    _ = try trained(
      "linear --data csv:commute.csv --target minutes --task regression --epochs 500 --batch-size 5 "
        + "--log-every 100000", "fc.weight")
    let tested = try JSON(parsing: tern("test run --json --device cpu").output)
    #expect(abs((tested["mse"]?.doubleValue ?? .nan) - 4.794260) < 1e-3)
    let loss = try #require(tested["loss"]?.doubleValue)
    #expect(loss < 0.1, "the loss is that of the scaled numbers: \(loss)")
    #expect(try tern("predict run --index 1 --device cpu").output.contains("minutes 34.98"))
    // Other data is measured as the network was trained, its columns by their names.
    try workspace.write("other.csv", "minutes,weekday,distance\n25,1,2.7\n33,1,4.1\n")
    let other = try JSON(parsing: tern("test run --data csv:other.csv --json --device cpu").output)
    let errors: [Double] = [25.83963585 - 25, 34.98669468 - 33]
    let mse = errors.reduce(0) { $0 + $1 * $1 } / 2
    #expect(abs((other["mse"]?.doubleValue ?? .nan) - mse) < 1e-2)
  }

  /// Numbers without the task that predicts them.
  @Test func differentNumbersAreNoClasses() throws {
    defer { workspace.remove() }
    try workspace.write("commute.csv", Self.commute)
    let result = try tern(
      "train linear --data csv:commute.csv --target minutes --device cpu --out run -q")
    #expect(
      result.status == 65 && result.errors.contains("the task regression"), "\(result.errors)")
  }

  /// The area under the curve decides which epoch is best, where it is asked for.
  @Test func theAreaUnderTheCurveIsWatched() throws {
    defer { workspace.remove() }
    let rows = (0..<40).map { "\($0 % 7),\($0 * 5 % 11),\($0 * 3 % 7 < 3 ? "low" : "high")" }
    try workspace.write("two.csv", "a,b,label\n" + rows.joined(separator: "\n") + "\n")
    let words = "linear --data csv:two.csv --epochs 3 --device cpu"
    let result = try tern("train \(words) --monitor test_auc --out watched -q")
    #expect(result.status == 0, "\(result.errors)")
    let results = String(
      decoding: try #require(workspace.bytes("watched/results.csv")), as: UTF8.self)
    let lines = results.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let column = try #require(lines[0].firstIndex(of: "test_auc"))
    #expect(
      lines.dropFirst().allSatisfy { (0...1).contains(Double($0[column]) ?? .nan) }, "\(results)")
    // It takes every score sorted: not where nobody asks.
    _ = try tern("train \(words) --out plain -q")
    let plain = String(decoding: try #require(workspace.bytes("plain/results.csv")), as: UTF8.self)
    #expect(!plain.contains("auc"), "\(plain)")
  }

  private static let points = """
    x1,x2,x3,x4,y
    -0.5,0.25,-0.8,-1,1
    -1,-0.1,-0.1,-1,1
    0.5,0,0.25,0.1,-1
    -0.2,-0.3,0.2,0,-1
    -0.8,0,-0.8,-1,1
    -0.15,-0.5,0.05,-0.25,-1
    -1,0,-1,-1,1
    0,-0.25,0.25,0.1,-1
    """

  /// Half the squared hinge of eight points, no bias, from 0.
  @Test(arguments: [
    ("--batch-size 8 --momentum 0 --lr 0.5 --epochs 25", [-0.52732, 1.21960, -1.04707, -0.44505]),
    ("--batch-size 1 --momentum 0 --lr 0.1 --epochs 10", [-0.46886, 0.88978, -0.79942, -0.44879]),
    (
      "--batch-size 8 --momentum 0.5 --lr 0.5 --epochs 25", [-0.59835, 1.82855, -1.55736, -0.50198]
    ),
    (
      "--batch-size 1 --optimizer adagrad --eps 1e-6 --lr 0.1 --epochs 10",
      [-0.47770, 0.84910, -0.72154, -0.38020]
    ),
  ]) func hingeLossIsDescended(settings: String, expected: [Double]) throws {
    defer { workspace.remove() }
    try workspace.write("points.csv", Self.points)
    try workspace.write(
      "hinge.yaml",
      """
      input: [4]
      targets: 1
      task: regression
      layers:
        - linear: {name: w, out_features: 1, bias: false, init: zeros}
      """)
    let weights = try trained(
      "hinge.yaml --data csv:points.csv --target y --loss squared_hinge_loss --normalize none "
        + "--no-shuffle \(settings)", "w.weight")
    for (weight, expected) in zip(weights, expected) { #expect(abs(weight - expected) < 6e-6) }
  }

  /// A loss can hold the scores of classes against numbers and margins.
  @Test(arguments: [
    "mse_loss", "huber_loss:delta=0.5", "binary_cross_entropy_with_logits", "hinge_loss",
    "soft_margin_loss:weight=2", "cross_entropy:label_smoothing=0.1",
  ]) func lossesTeachClasses(loss: String) throws {
    defer { workspace.remove() }
    var lines = ["a,b,label"]
    for i in 0..<40 {
      lines.append("\(Double(i % 7) - 3),\(Double(i % 5) - 2),\(i % 7 < 3 ? "low" : "high")")
    }
    try workspace.write("t.csv", lines.joined(separator: "\n"))
    let result = try tern(
      "train linear --data csv:t.csv --loss \(loss) --epochs 60 --batch-size 8 --device cpu --out run -q"
    )
    #expect(result.status == 0, "\(result.errors)")
    let tested = try JSON(parsing: tern("test run --json --device cpu").output)
    #expect(try #require(tested["accuracy"]?.doubleValue) > 0.9)
  }

  @Test func labelsAreToldOneByOne() throws {
    defer { workspace.remove() }
    var lines = ["a,b,left,upper"]
    for i in 0..<60 {
      let (a, b) = (i % 11 - 5, i % 7 - 3)
      lines.append("\(a),\(b),\(a < 0 ? 1 : 0),\(b > 0 ? 1 : 0)")
    }
    try workspace.write("t.csv", lines.joined(separator: "\n"))
    let result = try tern(
      "train mlp --task multilabel --data csv:t.csv --target left,upper --epochs 40 --device cpu "
        + "--out run -q")
    #expect(result.status == 0, "\(result.errors)")
    let tested = try JSON(parsing: tern("test run --json --device cpu").output)
    #expect(try #require(tested["accuracy"]?.doubleValue) > 0.9)
    guard case .array(let labels)? = tested["per_label"] else {
      Issue.record("no labels in \(tested)")
      return
    }
    #expect(labels.compactMap { $0["name"]?.stringValue } == ["left", "upper"])
    #expect(labels.allSatisfy { $0["auc"]?.doubleValue ?? 0 > 0.9 })
    let predicted = try JSON(parsing: tern("predict run --index 0 --json --device cpu").output)
    #expect(predicted["truth"] != nil)
    // A column that holds anything but 0 and 1 is no label.
    let wrong = try tern("train mlp --task multilabel --data csv:t.csv --target a --dry-run")
    #expect(wrong.status == 65 && wrong.errors.contains("expected 0 or 1"))
  }

  @Test(arguments: [
    ("--target minuts", 65, "did you mean 'minutes'?"),
    ("--target distance,weekday,minutes", 65, "leaves no feature"),
    ("--loss hubr_loss", 64, "did you mean 'huber_loss'?"),
    ("--loss huber_loss:delta=-1", 64, "delta: expected a positive number"),
    ("--loss huber_loss:dlta=1", 64, "did you mean 'delta'?"),
    ("--loss cross_entropy", 64, "cross_entropy"),
    ("--monitor test_accuracy", 64, "has no accuracy"),
    ("--test-split 1", 64, "test-split: expected 0 to below 1, got 1.0"),
    ("--class-weights 1,2", 64, "class-weights"),
  ]) func mistakesAreOneLine(flags: String, status: Int32, part: String) throws {
    defer { workspace.remove() }
    try workspace.write("commute.csv", Self.commute)
    let result = try tern(
      "train linear --data csv:commute.csv --task regression --device cpu --dry-run \(flags)")
    #expect(result.status == status && result.errors.contains(part), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").filter { $0.contains("error:") }.count == 1)
  }

  /// A network with two inputs, one of them whole numbers, and two outputs: trained from arrays of the
  /// inputs' names, applied to tensors of these names, and timed.
  @Test func severalInputsGoThroughAllVerbs() throws {
    defer { workspace.remove() }
    try workspace.write(
      "two.yaml",
      """
      inputs: {left: [3], word: {shape: [2], type: int32}}
      outputs: [head, code]
      targets: 1
      task: regression
      layers:
        - embedding: {name: words, num_embeddings: 5, embedding_dim: 4, from: word}
        - flatten: {name: code}
        - linear: {name: a, out_features: 8, from: left}
        - linear: {name: b, out_features: 8, from: code}
        - add: {name: sum, from: [a, b]}
        - relu
        - linear: {name: head, out_features: 1}
      """)
    let count = 24
    let left = HostTensor([count, 3], (0..<3 * count).map { Float($0 * 7 % 11) / 5 - 1 })
    let word = HostTensor([count, 2], (0..<2 * count).map { Int32($0 * 3 % 5) })
    let target = HostTensor([count, 1], (0..<count).map { Float($0 % 3) })
    try NPZWriter.encoded(["left_train": left, "word_train": word, "y_train": target])
      .write(to: URL(fileURLWithPath: workspace.file("two.npz")))
    let flags = "two.yaml --data npz:two.npz --test-split 0.25 --normalize none --epochs 3"
    let scale = try trained("\(flags) --batch-size 6", "words.weight")
    #expect(scale.count == 20)
    let tested = try JSON(parsing: tern("test run --json --device cpu").output)
    #expect(try #require(tested["mse"]?.doubleValue).isFinite)

    let path = workspace.file("in.safetensors")
    try Safetensors(tensors: ["left": left, "word": word]).encoded()
      .write(to: URL(fileURLWithPath: path))
    let weights = "--weights run/checkpoints/last/weights.safetensors"
    var outputs: [String: [String: HostTensor]] = [:]
    for device in ["reference", "cpu"] {
      let result = try tern(
        "run two.yaml \(weights) --input in.safetensors --output \(device).out --device \(device)")
      #expect(result.status == 0, "\(result.errors)")
      outputs[device] = try Safetensors(contentsOf: workspace.file("\(device).out")).tensors
    }
    let (slow, fast) = (try #require(outputs["reference"]), try #require(outputs["cpu"]))
    #expect(Set(fast.keys) == ["head", "code"])
    for (name, shape) in [("head", [count, 1] as Shape), ("code", [count, 8])] {
      #expect(fast[name]?.shape == shape)
      let pairs = zip(fast[name]!.floats, slow[name]!.floats)
      #expect(pairs.allSatisfy { abs($0 - $1) < 1e-4 })
    }
    try Safetensors(tensors: ["left": left]).encoded().write(to: URL(fileURLWithPath: path))
    let missing = try tern("run two.yaml \(weights) --input in.safetensors --output x.out")
    #expect(missing.status == 65 && missing.errors.contains("word"), "\(missing.errors)")
    let timed = try tern("bench model two.yaml --batch-size 4 --seconds 0.01 --device cpu --json")
    #expect(timed.status == 0, "\(timed.errors)")
  }

  /// Parameters learn by factors of their own: at 0 they stay.
  @Test func groupsLearnByTheirNames() throws {
    defer { workspace.remove() }
    try workspace.write("commute.csv", Self.commute)
    let line = "train linear --data csv:commute.csv --task regression --steps 3 --device cpu "
    func values(_ flags: String, _ out: String) throws -> [String: [Float]] {
      let result = try tern(line + flags + " -q --out \(out)")
      #expect(result.status == 0, "\(result.errors)")
      let path = "\(workspace.path)/\(out)/checkpoints/last/weights.safetensors"
      return try Safetensors(contentsOf: path).tensors.mapValues(\.floats)
    }
    let initial = try values("--lr 0", "a")
    let all = try values("", "b")
    let some = try values("--param-groups fc.weight:lr=0;fc.bias:lr=0.5", "c")
    #expect(some["fc.weight"] == initial["fc.weight"] && all["fc.weight"] != initial["fc.weight"])
    #expect(some["fc.bias"] != initial["fc.bias"] && some["fc.bias"] != all["fc.bias"])
    let wrong = try tern(line + "--param-groups fcc:lr=2 --dry-run")
    #expect(wrong.status == 64 && wrong.errors.contains("did you mean 'fc'?"), "\(wrong.errors)")
  }

  /// What a network is trained for decides the result, so that going on with another is refused.
  @Test func taskAndLossBelongToTheRun() throws {
    defer { workspace.remove() }
    try workspace.write("commute.csv", Self.commute)
    _ = try trained(
      "linear --data csv:commute.csv --task regression --loss huber_loss --epochs 2", "fc.weight")
    #expect(try tern("train --resume run --epochs 4 -q").status == 0)
    let other = try tern("train --resume run --epochs 6 --loss l1_loss")
    #expect(other.status == 64 && other.errors.contains("huber_loss"), "\(other.errors)")
  }

  /// Samples whose numbers have changed are other data.
  @Test func changedNumbersAreOtherData() throws {
    defer { workspace.remove() }
    try workspace.write("commute.csv", Self.commute)
    _ = try trained("linear --data csv:commute.csv --task regression --epochs 2", "fc.weight")
    try workspace.write("commute.csv", Self.commute.replacing("1,33", with: "1,34"))
    let other = try tern("train --resume run --epochs 3")
    #expect(other.status == 64 && other.errors.contains("other samples"), "\(other.errors)")
    try workspace.write("commute.csv", Self.commute)
    #expect(try tern("train --resume run --epochs 3 -q").status == 0)
  }
}
