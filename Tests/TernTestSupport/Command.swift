import Foundation

/// Runs the built `tern` as a user does.
package struct Command {
  package struct Result {
    package let status: Int32
    package let output: String
    package let errors: String
  }

  /// The executable beside the test bundle.
  private static let executable: URL = {
    let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("tern")
    if FileManager.default.isExecutableFile(atPath: bundle.path) { return bundle }
    return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent(".build/release/tern")
  }()

  /// Runs a command line as a shell reads it.
  package static func shell(_ line: String, in directory: String) throws -> Result {
    try start(
      shell: "tern() { \"$0\" \"$@\"; }; \(line)", [], in: directory, environment: [:]
    ).wait()
  }

  /// Starts the command in `directory`; its output goes to files, so that nothing blocks.
  ///
  /// - Parameter fileSizeLimit: the KiB that a file may grow to, as on a disk that is full then.
  package static func start(
    _ arguments: [String], in directory: String, environment: [String: String] = [:],
    fileSizeLimit: Int? = nil
  ) throws -> Running {
    try start(
      shell: (fileSizeLimit.map { "ulimit -f \($0); " } ?? "") + "exec \"$0\" \"$@\"", arguments,
      in: directory, environment: environment)
  }

  /// - Parameter shell: a script to which the command is `$0`, and the arguments are its own.
  private static func start(
    shell: String, _ arguments: [String], in directory: String, environment: [String: String]
  ) throws -> Running {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", shell, executable.path] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    let output = directory + "/.stdout-\(UUID().uuidString)"
    let errors = directory + "/.stderr-\(UUID().uuidString)"
    for path in [output, errors] { try Data().write(to: URL(fileURLWithPath: path)) }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: errors)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return Running(process: process, outputPath: output, errorPath: errors)
  }

  package struct Running {
    package let process: Process
    package let outputPath: String
    package let errorPath: String

    /// Sleeps until a condition holds or the process has ended, however long that takes.
    package func wait(until condition: () -> Bool) {
      while process.isRunning, !condition() { usleep(2000) }
    }

    /// Whether the process has written some text to its standard error.
    package func hasSaid(_ text: String) -> Bool {
      FileManager.default.contents(atPath: errorPath)?.range(of: Data(text.utf8)) != nil
    }

    package func wait() -> Result {
      process.waitUntilExit()
      func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
      }
      defer {
        for path in [outputPath, errorPath] { try? FileManager.default.removeItem(atPath: path) }
      }
      let isSignal = process.terminationReason == .uncaughtSignal
      return Result(
        status: isSignal ? 128 + process.terminationStatus : process.terminationStatus,
        output: text(outputPath), errors: text(errorPath))
    }
  }

  package static func run(
    _ arguments: [String], in directory: String = NSTemporaryDirectory(),
    environment: [String: String] = [:]
  ) throws -> Result {
    try start(arguments, in: directory, environment: environment).wait()
  }
}
