import Foundation
import TernCore

extension CurvePlot {
  /// The curves of runs, read from their folders; a folder of runs, such as a sweep's, stands for all
  /// runs in it. Several runs are named by the settings in which they differ.
  ///
  /// - Throws: ``TernError`` of kind `notFound` where a folder holds no run.
  package init(directories: [String]) throws {
    let paths = try directories.flatMap(Self.runs(in:))
    let settings = try paths.map { try RunDirectory.open(path: $0).configuration().settings }
    let differences = Self.differences(settings.map { $0.map { ($0.name, $0.value) } })
    // Trials that diverged before their first checkpoint have no curves; of a run that was named, that
    // is said.
    let isNamed = Set(directories)
    let runs = try zip(paths, differences).compactMap { path, difference -> Run? in
      guard let checkpoint = try RunDirectory.open(path: path).lastCheckpoint() else {
        if isNamed.contains(path) {
          throw TernError(.badData, "\(path): no checkpoint there yet")
        }
        return nil
      }
      let name = path.lastPathPart
      return Run(
        name: difference.isEmpty ? name : "\(name): \(difference)",
        history: checkpoint.progress.history)
    }
    self.init(runs: runs)
  }

  /// The run of a folder, or the runs in it.
  private static func runs(in directory: String) throws -> [String] {
    if RunDirectory.exists(directory) { return [directory] }
    let inside = (FileSystem.names(in: directory) ?? []).map {
      directory.appendingPath($0)
    }.filter(RunDirectory.exists).sorted { $0.compare($1, options: .numeric) == .orderedAscending }
    guard !inside.isEmpty else {
      throw TernError(.notFound, "\(directory): no training run there (no config.yaml)")
    }
    return inside
  }

  /// More settings would not fit below a picture.
  private static let mostDifferences = 4

  /// How long a run goes on, its curve shows; what goes on beside it does not change the curve.
  private static let unnamed: Set = [
    "epochs", "steps", "workers", "threads", "save_every", "keep_best", "log_every", "histograms",
  ]

  /// Of these, some optimizers have a default and others none.
  private static let partsOfOptimizers: Set = ["momentum", "betas", "nesterov"]

  /// What sets each run apart: `lr 0.1, optimizer adam`.
  private static func differences(_ runs: [[(name: String, value: AttributeValue)]]) -> [String] {
    let maps = runs.map { run in Dictionary(run.map { ($0.name, $0.value) }) { first, _ in first } }
    func differs(_ name: String) -> Bool { maps.contains { $0[name] != maps[0][name] } }
    let names = (runs.first ?? []).map(\.name).filter { name in
      guard differs(name), !unnamed.contains(name) else { return false }
      let isDefault = partsOfOptimizers.contains(name) && maps.contains { $0[name] == .null }
      return !(isDefault && differs("optimizer"))
    }
    return maps.map { map in
      names.prefix(mostDifferences).map { name in
        let value: String =
          switch map[name] ?? .null {
          case .string(let text): text
          case .double(let number): String(format: "%.4g", number)
          case .null: "default"
          case let other: "\(other)"
          }
        return "\(name) \(value)"
      }.joined(separator: ", ") + (names.count > mostDifferences ? ", …" : "")
    }
  }
}
