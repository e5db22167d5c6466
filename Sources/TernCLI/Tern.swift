import ArgumentParser
import Tern

@main
struct TernCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tern",
    abstract: "Train neural networks on any OpenCL GPU, and on the CPU where there is none.",
    subcommands: [
      Train.self, Test.self, Summary.self, Models.self, Devices.self, Verify.self, Bench.self,
      Predict.self, Plot.self, LRFind.self, SweepCommand.self, Export.self, Import.self,
      Tune.self, DataCommand.self, Run.self,
    ])

  /// The command line, its names of files byte by byte.
  private static var arguments: [String] {
    (1..<max(Int(CommandLine.argc), 1)).compactMap { index in
      CommandLine.unsafeArgv[index].map { FileName.text(cString: $0) }
    }
  }

  /// Runs the command; an error becomes one line on stderr and the exit code of its kind.
  static func main() {
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch let error as TernError {
      Failure.exit(error.message, code: error.kind.exitCode)
    } catch let error as ShapeError {
      Failure.exit(error.description, code: TernError.Kind.badData.exitCode)
    } catch {
      exit(withError: error)
    }
  }
}
