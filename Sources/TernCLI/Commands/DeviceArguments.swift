import ArgumentParser
import Tern

/// The flags that choose a device and how it works.
struct DeviceArguments: ParsableArguments {
  @Option(help: "The device: \(DeviceCatalog.requests); see tern devices --help.")
  var device = "auto"
  @Option(help: "CPU threads. (default: all cores)")
  var threads: Int?
  @Option(
    help: """
      How convolutions are computed, where the device can: \
      \(ConvolutionAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")); or, separated by \
      commas, implementations of anything by their names in -v, or no-NAME to rule one out. \
      (default: the device's own choice per shape)
      """)
  var algorithm: AlgorithmRequest?

  @Option(
    help: """
      \(Precision.help)
      """)
  var precision = Precision.fp32

  @Flag(help: "Take the precision also where it is slower than fp32.")
  var forcePrecision = false

  var options: DeviceOptions {
    DeviceOptions(
      threads: threads, algorithm: algorithm?.algorithm,
      candidates: algorithm?.candidates ?? CandidateRequest(), precision: precision,
      forcesPrecision: forcePrecision)
  }

  /// Opens the device, with other options where asked for.
  func open(_ change: (inout DeviceOptions) -> Void = { _ in }) throws -> any Device {
    var options = options
    change(&options)
    return try DeviceCatalog.standard.open(device, options: options)
  }

  /// Opens the device where speed is no question: also in a precision that is slower on it.
  func openAtAnySpeed() throws -> any Device { try open { $0.forcesPrecision = true } }

  /// Opens the device for a network, and says where the algorithm that was asked for changes nothing.
  func open(for network: Model) throws -> any Device {
    let device = try open()
    if let algorithm = algorithm?.algorithm {
      let graph = try network.inferenceGraph(batchSize: network.ownBatchSize).graph
      if let note = algorithm.note(for: graph, on: device) {
        Output.progress("algorithm: \(note)")
      }
    }
    return device
  }
}

extension ConvolutionAlgorithm: ExpressibleByArgument {}

extension AlgorithmRequest: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension Precision: ExpressibleByArgument {}
extension ItemErrorPolicy: ExpressibleByArgument {}
