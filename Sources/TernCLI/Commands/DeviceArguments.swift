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

  func open() throws -> any Device {
    try DeviceCatalog.standard.open(device, options: options)
  }

  /// Opens the device for a network, and says where the algorithm that was asked for changes nothing.
  func open(for network: Model) throws -> any Device {
    let device = try open()
    if let algorithm = algorithm?.algorithm {
      let graph = try network.inferenceGraph(batchSize: 1).graph
      if let note = algorithm.note(for: graph, on: device) {
        Output.progress("algorithm: \(note)")
      }
    }
    return device
  }

  /// Opens the same device with another algorithm for convolutions.
  func open(algorithm: ConvolutionAlgorithm) throws -> any Device {
    var options = options
    options.algorithm = algorithm
    return try DeviceCatalog.standard.open(device, options: options)
  }
}

extension ConvolutionAlgorithm: ExpressibleByArgument {}

extension AlgorithmRequest: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension Precision: ExpressibleByArgument {}
extension ItemErrorPolicy: ExpressibleByArgument {}
