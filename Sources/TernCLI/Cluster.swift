import Foundation
import Tern

/// The processes that a launcher started together: `mpirun -np 4 tern train …`.
enum Cluster {
  private nonisolated(unsafe) static var group: MPIGroup?

  /// How long the others leave it to the first to say what went wrong, in seconds. That training diverges all find out
  /// together, and the first one then looks for the cause, saves and writes its report.
  private static let patience = (short: 0.5, long: 120.0)
  private static let divergedCode = TernError.Kind.diverged.exitCode

  /// Whether this process is the one that writes and prints.
  static var isFirst: Bool { (group?.rank ?? 0) == 0 }

  /// Joins the others, where a launcher started any.
  ///
  /// - Throws: ``TernError`` where they cannot be reached, or one runs another build.
  static func join() throws -> MPIGroup? {
    if group == nil, MPIGroup.isLaunched {
      let joined = try MPIGroup()
      group = joined
      try joined.check([("build", build)])
    }
    return group
  }

  /// What tells builds apart; those of one commit with changes that are not in it by their sizes.
  private static var build: String {
    var file = stat()
    let isKnown = stat("/proc/self/exe", &file) == 0
    return Build.text.replacing("\n", with: ", ") + (isKnown ? ", \(file.st_size) bytes" : "")
  }

  /// Ends the process, and the others with it.
  static func exit(_ message: String, code: Int32) -> Never {
    guard let group else {
      Output.error(message)
      Foundation.exit(code)
    }
    // What all have come to the first one says, and ends the others.
    if !isFirst {
      Thread.sleep(forTimeInterval: code == divergedCode ? patience.long : patience.short)
    }
    Output.error("rank \(group.rank)\(group.host.map { " on \($0)" } ?? ""): \(message)")
    group.abort(exitCode: code)
  }
}
