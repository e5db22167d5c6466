import Foundation
import Tern

extension TernError.Kind {
  /// The exit code of the command, after sysexits.h where that has one.
  var exitCode: Int32 {
    switch self {
    case .runtime, .outOfMemory: 1
    case .diverged: 3
    case .usage: 64
    case .badData: 65
    case .notFound: 66
    case .deviceUnavailable: 69
    case .cannotWrite: 73
    }
  }
}

extension TernError.Remedy {
  /// What to type, as the end of a line.
  var words: String {
    switch self {
    case .resume(let run): "; go on with: tern train --resume \(run.shellPath)"
    case .resumeOrChooseFolder: "; resume it with --resume or choose another --out"
    case .chooseFolder: "; choose another --out"
    case .forcePrecision: "; --force-precision takes it all the same"
    }
  }
}

enum Failure {
  static func exit(_ message: String, code: Int32) -> Never {
    Cluster.exit(message, code: code)
  }
}
