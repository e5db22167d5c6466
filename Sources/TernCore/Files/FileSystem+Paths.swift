import CSystem
import Foundation

extension FileSystem {
  /// The folder that relative paths start from; `nil` where it is gone.
  package static var workingDirectory: String? {
    guard let path = getcwd(nil, 0) else { return nil }
    defer { free(path) }
    return FileName.text(cString: path)
  }

  /// Lets what is at two paths change places in one step; `false` where that fails, with the reason in
  /// `errno`.
  package static func exchange(_ first: String, _ second: String) -> Bool {
    first.withFilePath { first in second.withFilePath { tern_exchange_paths(first, $0) } } == 0
  }

  /// The arguments of the process, the names of files in them byte by byte; without that of the
  /// command itself.
  package static var processArguments: [String] {
    (1..<max(tern_argument_count(), 1)).compactMap { index in
      tern_argument(index).map { FileName.text(cString: $0) }
    }
  }
}
