import Foundation
import Tern
import Testing

/// Data is held against what a run was trained on: classes, columns and channels are found by their
/// names, and what the run does not know is said, whatever the verb.
@Suite struct OtherDataTests {
  private func train(_ arguments: String, in workspace: Workspace) throws {
    let result = try Command.run(
      ["train"] + arguments.split(separator: " ").map(String.init)
        + ["--out", "run", "--device", "cpu", "-q"], in: workspace.path)
    #expect(result.status == 0, "\(result.errors)")
  }

  /// cat is dark, dog bright, emu between.
  private static let brightness = ["bat": 120, "cat": 10, "dog": 220, "emu": 120]

  private func pictures(_ folder: String, _ classes: [String], in workspace: Workspace) throws {
    for name in classes {
      try workspace.writePictures("\(folder)/\(name)", Self.brightness[name]!, count: 10)
    }
  }

  @Test func classesOfFoldersKeepTheNamesOfTheRun() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try pictures("own", ["cat", "dog", "emu"], in: workspace)
    try train("linear --data images:own --image-size 8 --epochs 30 --lr 0.05", in: workspace)
    // A folder that lacks classes: the numbers of the others stay.
    try pictures("other", ["dog", "emu"], in: workspace)
    let predicted = try Command.run(
      ["predict", "run", "--data", "images:other", "--index", "0", "--index", "12", "--top", "1"],
      in: workspace.path)
    #expect(predicted.status == 0, "\(predicted.errors)")
    #expect(predicted.output.contains("0 (is dog): dog"), "\(predicted.output)")
    #expect(predicted.output.contains("12 (is emu): emu"), "\(predicted.output)")
    let tested = try Command.run(
      ["test", "run", "--data", "images:other", "--json"], in: workspace.path)
    #expect(try JSON(parsing: tested.output)["accuracy"] == .int(1), "\(tested.output)")
    // A class that the run does not know, whoever asks.
    try pictures("strange", ["bat", "cat", "dog"], in: workspace)
    for verb in [["test", "run"], ["predict", "run", "--index", "0"]] {
      let refused = try Command.run(verb + ["--data", "images:strange"], in: workspace.path)
      #expect(refused.status == 65 && refused.output.isEmpty, "\(verb) \(refused.output)")
      #expect(refused.errors.contains("strange/bat: no such class in the training set"))
      #expect(refused.errors.contains("cat, dog, emu"))
    }
    // The run's own data, spelled otherwise, is its test set, not all of it.
    let own = try Command.run(
      ["test", "run", "--data", "images:./other/../own/", "--json"], in: workspace.path)
    #expect(try JSON(parsing: own.output)["samples"] == .int(6), "\(own.output)\(own.errors)")
    // A folder was renamed since.
    try FileManager.default.moveItem(
      atPath: workspace.file("own/cat"), toPath: workspace.file("own/wild"))
    for verb in ["test run", "predict run --index 0", "train --resume run --epochs 31"] {
      let refused = try Command.run(
        verb.split(separator: " ").map(String.init), in: workspace.path)
      #expect(refused.status == 65 && refused.output.isEmpty, "\(verb) \(refused.output)")
      #expect(refused.errors.contains("changed since the network was trained"), "\(refused.errors)")
    }
  }

  @Test(arguments: ["test", "predict"]) func dataWithoutSamplesIsSaid(verb: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try pictures("own", ["cat", "dog"], in: workspace)
    try train("linear --data images:own --image-size 8 --epochs 1", in: workspace)
    #expect(FileSystem.createFolder(workspace.file("empty")))
    #expect(FileSystem.createFolder(workspace.file("bare/cat")))
    for folder in ["empty", "bare"] {
      let result = try Command.run(
        [verb, "run", "--data", "images:\(folder)"] + (verb == "test" ? [] : ["--index", "0"]),
        in: workspace.path)
      #expect(result.status == 65 && result.output.isEmpty, "\(result.output)")
      #expect(result.errors.contains("\(folder)"), "\(result.errors)")
    }
  }

  @Test func columnsAndLabelsOfTablesGoByTheirNames() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    func table(_ columns: [String], label: (Int) -> String) -> String {
      columns.joined(separator: ",") + "\n"
        + (0..<40).map { row in
          columns.map { column in
            switch column {
            case "size": "\(row % 4 < 2 ? 5 : -5)"
            case "noise": "\((row * 7) % 11)"
            default: label(row)
            }
          }.joined(separator: ",") + "\n"
        }.joined()
    }
    let kind = { (row: Int) in row % 4 < 2 ? "large" : "small" }
    try workspace.write("own.csv", table(["size", "noise", "kind"], label: kind))
    try workspace.write("turned.csv", table(["kind", "noise", "size"], label: kind))
    try workspace.write("lacking.csv", table(["size", "kind"], label: kind))
    try workspace.write("strange.csv", table(["size", "noise", "kind"]) { _ in "middling" })
    try train("linear --data csv:own.csv --epochs 60 --batch-size 8", in: workspace)
    let tested = try Command.run(
      ["test", "run", "--data", "csv:turned.csv", "--json"], in: workspace.path)
    #expect(try JSON(parsing: tested.output)["accuracy"] == .int(1), "\(tested.output)")
    #expect(tested.errors.contains("another order"))
    let predicted = try Command.run(
      ["predict", "run", "--data", "csv:turned.csv", "--index", "3", "--top", "1"],
      in: workspace.path)
    #expect(predicted.output.hasPrefix("3 (is small): small"), "\(predicted.output)")
    for (file, reason) in [("lacking", "no column 'noise'"), ("strange", "'middling'")] {
      for verb in [["test", "run"], ["predict", "run", "--index", "0"]] {
        let refused = try Command.run(verb + ["--data", "csv:\(file).csv"], in: workspace.path)
        #expect(refused.status == 65 && refused.output.isEmpty, "\(verb) \(refused.output)")
        #expect(refused.errors.contains(reason), "\(refused.errors)")
      }
    }
    // The file itself changed: the columns stay where they were.
    try workspace.write("own.csv", table(["noise", "size", "kind"], label: kind))
    let changed = try Command.run(["test", "run", "--json"], in: workspace.path)
    #expect(try JSON(parsing: changed.output)["accuracy"] == .int(1), "\(changed.output)")
  }

  /// Labels far apart make as many classes as there are, and sets with names of their own are not
  /// taken for one another.
  @Test func numbersAreClassesByTheirValue() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    func rows(_ labels: [Int]) -> String {
      (0..<20).map { "\($0 % 2 * 4 - 2),1,\(labels[$0 % labels.count])\n" }.joined()
    }
    try workspace.write("codes.csv", rows([10115, 20095]))
    try train("linear --data csv:codes.csv --epochs 40 --batch-size 8", in: workspace)
    let result = try Command.run(["test", "run"], in: workspace.path)
    #expect(result.output.contains("20095") && result.output.contains("accuracy 1.0000"))
    #expect(result.output.split(separator: "\n").count < 12, "\(result.output)")
    try workspace.write("others.csv", rows([20095, 30000]))
    let refused = try Command.run(["test", "run", "--data", "csv:others.csv"], in: workspace.path)
    #expect(refused.status == 65 && refused.errors.contains("'30000'"), "\(refused.errors)")

    try workspace.writeDataset("clothes")
    try FileManager.default.removeItem(atPath: workspace.file("run"))
    try train("lenet5 --data fashion-mnist:clothes --epochs 1", in: workspace)
    let digits = try Command.run(["test", "run", "--data", "mnist:clothes"], in: workspace.path)
    #expect(digits.status == 65 && digits.output.isEmpty, "\(digits.output)")
    // Labels without names are taken by their number.
    let plain = try Command.run(["test", "run", "--data", "idx:clothes"], in: workspace.path)
    #expect(plain.status == 0 && plain.output.contains("Sneaker"), "\(plain.errors)")
  }
}
