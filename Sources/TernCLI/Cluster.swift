import Foundation
import Tern

/// The processes that a launcher started together: `mpirun -np 4 tern train …`.
enum Cluster {
  private nonisolated(unsafe) static var group: MPIGroup?

  /// Whether this process is the one that writes and prints.
  static var isFirst: Bool { (group?.rank ?? 0) == 0 }

  /// Joins the others, where a launcher started any.
  static func join() throws -> MPIGroup? {
    if group == nil, MPIGroup.isLaunched { group = try MPIGroup() }
    return group
  }

  /// Ends the process, and the others with it.
  static func exit(_ message: String, code: Int32) -> Never {
    guard let group else {
      Output.error(message)
      Foundation.exit(code)
    }
    Output.error("rank \(group.rank): \(message)")
    group.abort(exitCode: code)
  }
}
