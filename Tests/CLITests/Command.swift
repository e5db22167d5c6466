import Foundation

/// Runs the built `tern` as a user does.
struct Command {
  struct Result {
    let status: Int32
    let output: String
    let errors: String
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
  static func shell(_ line: String, in directory: String) throws -> Result {
    try start(
      shell: "tern() { \"$0\" \"$@\"; }; \(line)", [], in: directory, environment: [:]
    ).wait()
  }

  /// Starts the command in `directory`; its output goes to files, so that nothing blocks.
  ///
  /// - Parameter fileSizeLimit: the KiB that a file may grow to, as on a disk that is full then.
  static func start(
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

  struct Running {
    let process: Process
    let outputPath: String
    let errorPath: String

    func wait() -> Result {
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

  static func run(
    _ arguments: [String], in directory: String = NSTemporaryDirectory(),
    environment: [String: String] = [:]
  ) throws -> Result {
    try start(arguments, in: directory, environment: environment).wait()
  }
}

/// A folder that is gone after the test.
struct Workspace {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "tern-cli-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
  }

  func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: file(name)) }

  /// A small data set in IDX files: bright squares whose place tells the class.
  func writeDataset(_ name: String = "data", train: Int = 300, test: Int = 60) throws {
    try FileManager.default.createDirectory(
      atPath: file(name), withIntermediateDirectories: true)
    func header(_ extents: [Int]) -> [UInt8] {
      [0, 0, 8, UInt8(extents.count)]
        + extents.flatMap { extent in
          (0..<4).map { UInt8(truncatingIfNeeded: extent >> (24 - 8 * $0)) }
        }
    }
    for (set, count) in [("train", train), ("t10k", test)] {
      var pixels = [UInt8](repeating: 0, count: count * 784)
      for i in 0..<count {
        let (row, column) = (2 + (i % 10) / 5 * 12, 1 + (i % 5) * 5)
        for y in 0..<8 {
          for x in 0..<5 {
            pixels[i * 784 + (row + y) * 28 + column + x] = UInt8(150 + (i * 31 + x * y * 7) % 100)
          }
        }
      }
      try Data(header([count, 28, 28]) + pixels).write(
        to: URL(fileURLWithPath: file("\(name)/\(set)-images-idx3-ubyte")))
      try Data(header([count]) + (0..<count).map { UInt8($0 % 10) }).write(
        to: URL(fileURLWithPath: file("\(name)/\(set)-labels-idx1-ubyte")))
    }
  }
}
