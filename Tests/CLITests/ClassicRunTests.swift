import Foundation
import Tern
import Testing

/// The classics from the command line: trained, measured, asked and shown by the same verbs as the rest.
@Suite struct ClassicRunTests {
  private func run(_ workspace: Workspace, _ arguments: String) throws -> String {
    let result = try Command.run(
      arguments.split(separator: " ").map(String.init), in: workspace.path)
    #expect(result.status == 0, "\(arguments): \(result.errors)")
    return result.output
  }

  /// Random rows of 1 and −1 under a header, with a last column.
  private func table(
    _ count: Int, _ width: Int, seed: UInt64, last: (header: String, value: (Int) -> String)
  ) -> String {
    let draws = Philox(seed: seed, stream: .data).uniforms(count * width)
    let rows = (0..<count).map { row in
      ((0..<width).map { draws[row * width + $0] < 0.5 ? "-1" : "1" } + [last.value(row)])
        .joined(separator: ",")
    }
    return
      ([(0..<width).map { "u\($0)" }.joined(separator: ",") + "," + last.header] + rows)
      .joined(separator: "\n") + "\n"
  }

  @Test func aHopfieldNetworkRecallsItsPatterns() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let text = table(4, 60, seed: 1, last: ("label", { "p\($0)" }))
    try workspace.write("patterns.csv", text)
    _ = try run(workspace, "train hopfield --data csv:patterns.csv --device cpu --out run -q")
    let measured = try JSON(parsing: run(workspace, "test run --json --device cpu"))
    #expect(measured["recalled"]?.doubleValue == 1 && measured["exact"]?.doubleValue == 1)
    let (before, after) = (measured["energy_damaged"]?.doubleValue, measured["loss"]?.doubleValue)
    #expect((after ?? .nan) < (before ?? .nan), "\(measured)")
    // Its energy while it recalls, unit by unit.
    let look = try JSON(
      parsing: run(workspace, "look run --json --samples 4 --device cpu"))
    guard case .array(let traces)? = look["energies"] else {
      Issue.record("no energies in \(look)")
      return
    }
    #expect(traces.count == 4 && workspace.bytes("run/look/energy.svg") != nil)
    for trace in traces {
      guard case .array(let values) = trace else { continue }
      let energies = values.compactMap(\.doubleValue)
      #expect(energies.count == 1 + 5 * 60)
      #expect(zip(energies, energies.dropFirst()).allSatisfy { $1 <= $0 })
      #expect(energies.last! < energies[0])
    }
    // The pattern itself, as signs.
    let signs = text.split(separator: "\n")[3].split(separator: ",").dropLast()
      .map { $0 == "1" ? "+" : "-" }.joined()
    #expect(try run(workspace, "predict run --index 2 --device cpu") == "2: \(signs)\n")
    // What comes of a damaged one, as a file.
    let states = signs.enumerated().map { (index: Int, sign: Character) -> Float in
      (sign == "+" ? 1 : -1) * (index % 10 == 0 ? -1 : 1)
    }
    try Safetensors(tensors: ["images": HostTensor([1, 60], states)]).encoded().write(
      to: URL(fileURLWithPath: workspace.file("x.safetensors")))
    _ = try run(
      workspace,
      "run hopfield --weights run --input x.safetensors --output y.safetensors --device cpu")
    let recalled = try Safetensors(contentsOf: workspace.file("y.safetensors")).tensors["logits"]
    #expect(recalled?.floats.map { $0 > 0 ? "+" : "-" }.joined() == signs)
  }

  @Test func aBidirectionalMemoryNamesItsTargets() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write(
      "pairs.csv", table(3, 40, seed: 2, last: ("y1,y2", { ["1,1", "1,-1", "-1,1"][$0] })))
    _ = try run(
      workspace,
      "train bam --data csv:pairs.csv --target y1,y2 --damage 0 --device cpu --out run -q")
    let measured = try JSON(parsing: run(workspace, "test run --json --device cpu"))
    #expect(measured["forward"]?.doubleValue == 1, "\(measured)")
    #expect(
      try run(workspace, "predict run --index 1 --device cpu")
        == "1 (is 1.0, -1.0): y1 1.0000, y2 -1.0000\n")
  }

  @Test func aBoltzmannMachineTellsProbabilities() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.write(
      "states.csv",
      "a,b,label\n" + (0..<40).map { "\($0 % 2),\($0 % 2),\($0 % 4 < 2 ? "x" : "y")\n" }.joined())
    _ = try run(
      workspace,
      "train boltzmann --data csv:states.csv --epochs 300 --batch-size 40 --device cpu --out run -q"
    )
    // Two states, each half of the time: log 2.
    let measured = try JSON(parsing: run(workspace, "test run --json --device cpu"))
    #expect(abs((measured["loss"]?.doubleValue ?? .nan) - log(2)) < 0.05, "\(measured)")
    // Stopped and gone on with, chains and all.
    let bytes = try ["whole", "parts"].map { name in
      _ = try run(
        workspace,
        "train boltzmann --data csv:states.csv --epochs \(name == "whole" ? 4 : 2) --batch-size 16 "
          + "--schedule constant --device cpu --out \(name) -q")
      if name == "parts" { _ = try run(workspace, "train --resume parts --epochs 4 -q") }
      return try #require(workspace.bytes("\(name)/checkpoints/last/weights.safetensors"))
    }
    #expect(bytes[0] == bytes[1])
  }

  @Test func aDeepMachineIsPretrainedAndShown() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 40, test: 16)
    _ = try run(workspace, "train dbm --data idx:data --epochs 4 --device cpu --out run -q")
    #expect(workspace.bytes("run/samples/epoch-4.png") != nil)
    #expect(try run(workspace, "test run --device cpu").contains("reconstruction_error"))
    let short = try Command.run(
      ["train", "dbm", "--data", "idx:data", "--epochs", "2"], in: workspace.path)
    #expect(short.status == 64 && short.errors.contains("is pre-trained for 2 epochs"))
  }

  @Test(arguments: ["hebb", "adaline", "perceptron"]) func rulesTellClassesApart(model: String)
    throws
  {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 100, test: 40)
    _ = try run(workspace, "train \(model) --data idx:data --device cpu --out run -q")
    let measured = try JSON(parsing: run(workspace, "test run --json --device cpu"))
    #expect(measured["accuracy"]?.doubleValue ?? 0 >= 0.9, "\(measured)")
  }

  @Test func fixedNeuronsShowTheirTruthTable() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let lines = try run(workspace, "test --model mcculloch-pitts --device cpu")
      .split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(lines[0] == ["x1", "x2", "AND", "OR", "NAND", "NOR", "NOT", "XOR"])
    #expect(lines[2] == ["0", "1", "0", "1", "1", "0", "1", "1"] && lines.count == 5)
    try Safetensors(tensors: ["images": HostTensor([2, 2], [1, 1, 0, 1] as [Float])]).encoded()
      .write(
        to: URL(fileURLWithPath: workspace.file("x.safetensors")))
    _ = try run(
      workspace, "run mcculloch-pitts --input x.safetensors --output y.safetensors --device cpu")
    let outputs = try Safetensors(contentsOf: workspace.file("y.safetensors")).tensors
    #expect(outputs["xor"]?.floats == [0, 1] && outputs["and"]?.floats == [1, 0])
    try workspace.write("gates.csv", "a,b,label\n" + String(repeating: "0,1,x\n1,0,y\n", count: 9))
    let trained = try Command.run(
      ["train", "mcculloch-pitts", "--data", "csv:gates.csv", "--device", "cpu"],
      in: workspace.path)
    #expect(trained.status == 64 && trained.errors.contains("has nothing to learn"))
    let nothing = try Command.run(
      ["run", "mlp", "--input", "x.safetensors", "--output", "z.safetensors"], in: workspace.path)
    #expect(nothing.status == 64 && nothing.errors.contains("which weights?"), "\(nothing.errors)")
  }

  @Test(arguments: [
    (["hopfield", "--damage", "1"], "damage: expected 0 to below 1"),
    (["hopfield", "--normalize", "auto"], "is trained with none only"),
    (["hopfield", "--loss", "mse_loss"], "is trained for association"),
    (["boltzmann"], "at most 16 units"),
    (["hebb", "--label-smoothing", "0.1"], "has neither label smoothing"),
  ]) func whatDoesNotFitIsRefused(arguments: [String], words: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 20, test: 10)
    let result = try Command.run(
      ["train"] + arguments + ["--data", "idx:data", "--device", "cpu"], in: workspace.path)
    #expect(result.status == 64 || result.status == 65, "\(result.errors)")
    #expect(result.errors.contains(words), "\(result.errors)")
  }
}
