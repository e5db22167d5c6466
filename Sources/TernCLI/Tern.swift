import ArgumentParser
import Foundation
import Tern

@main
struct TernCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tern",
    abstract: "Train neural networks on any OpenCL GPU, and on the CPU where there is none.",
    version: Build.text,
    subcommands: [
      Train.self, Test.self, Summary.self, Models.self, Devices.self, Verify.self, Bench.self,
      Predict.self, Plot.self, LRFind.self, SweepCommand.self, Export.self, Import.self,
      Tune.self, DataCommand.self, Run.self, Generate.self,
      Style.self, Look.self,
    ])

  /// Runs the command; an error becomes one line on stderr and the exit code of its kind.
  static func main() {
    Output.reserveStreams()
    // A file that may not grow is one that cannot be written, not the end.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot(FileSystem.processArguments)
      PictureWarnings.announceFirst { Output.warning($0) }
      defer { if let summary = PictureWarnings.summary { Output.warning(summary) } }
      try CompilationDisplay(isBar: CompilationDisplay.isTerminal).during { try command.run() }
    } catch let error as TernError {
      Failure.exit(error.message + (error.remedy?.words ?? ""), code: error.kind.exitCode)
    } catch let error as ShapeError {
      Failure.exit(error.description, code: TernError.Kind.badData.exitCode)
    } catch {
      end(error)
    }
    if let failure = Output.failure { Failure.exit(failure.message, code: failure.kind.exitCode) }
  }

  /// Ends with what the parser of the command line has to say: help, or what is wrong with it.
  private static func end(_ error: any Error) -> Never {
    let code = exitCode(for: error)
    let message =
      UsageHint.message(for: error, arguments: Array(CommandLine.arguments.dropFirst()))
      ?? fullMessage(for: error)
    if !message.isEmpty {
      if code.isSuccess { Output.result(message) } else { Output.lines(message) }
    }
    if code.isSuccess, let failure = Output.failure {
      Failure.exit(failure.message, code: failure.kind.exitCode)
    }
    Foundation.exit(code.rawValue)
  }
}
