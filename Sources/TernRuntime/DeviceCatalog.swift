import TernCore

/// Settings of a device that hold for its lifetime.
public struct DeviceOptions: Hashable, Sendable {
  /// The number of CPU threads; all cores where `nil`.
  public var threads: Int?
  /// How convolutions are computed, where the device can; its own choice where `nil`.
  public var algorithm: ConvolutionAlgorithm?
  /// The implementations that are asked for or ruled out, of whatever has several.
  public var candidates: CandidateRequest
  /// In how many bits networks are computed.
  public var precision: Precision
  /// Whether ``precision`` is taken where it is slower than float32.
  public var forcesPrecision: Bool

  /// What is not said is left to the device.
  public init(
    threads: Int? = nil, algorithm: ConvolutionAlgorithm? = nil,
    candidates: CandidateRequest = CandidateRequest(), precision: Precision = .fp32,
    forcesPrecision: Bool = false
  ) {
    self.threads = threads
    self.algorithm = algorithm
    self.candidates = candidates
    self.precision = precision
    self.forcesPrecision = forcesPrecision
  }

  /// The algorithm and the implementations that are asked for and ruled out, as a user writes them; `nil`
  /// where all is left to the device.
  public var algorithmDescription: String? {
    let request = AlgorithmRequest(algorithm, candidates: candidates).description
    return request.isEmpty ? nil : request
  }
}

/// A backend: lists its devices and opens them.
package protocol Backend: Sendable {
  /// `reference`, `cpu` or `opencl`.
  var name: String { get }

  /// Every device, in a stable order. No driver and no device is a normal state, not an error.
  func devices() -> [DeviceInfo]

  /// What some device of the backend computes in.
  var precisions: [Precision] { get }

  /// In what the backend's devices can be treated otherwise than their drivers say: each a spelling
  /// that may follow a device's id behind a slash, and what it is for. For tests and for measuring.
  var traits: [(spelling: String, help: String)] { get }

  /// Opens the device of that id, with its traits.
  func open(_ info: DeviceInfo, options: DeviceOptions) throws -> any Device
}

extension Backend {
  package var precisions: [Precision] { [.fp32] }
  package var traits: [(spelling: String, help: String)] { [] }
}

/// All backends of this build, and the rule by which `auto` chooses among their devices.
public struct DeviceCatalog: Sendable {
  package let backends: [any Backend]
  /// Told of every device that is opened, before anything is done with it.
  package var didOpen: (@Sendable (any Device, Choice) -> Void)?

  package init(_ backends: [any Backend]) { self.backends = backends }

  /// All devices of all backends. A backend without a driver or a device has none.
  public var devices: [DeviceInfo] { backends.flatMap { $0.devices() } }

  /// A chosen device and why it was chosen.
  public struct Choice: Sendable {
    /// The device.
    public let info: DeviceInfo
    /// Why: `asked for`, or what spoke for it.
    public let reason: String
  }

  /// Resolves what `--device` says: `auto`, a backend's name, or a device's id, whose trailing
  /// numbers may be left out (`opencl`, `opencl:0`); traits follow behind slashes
  /// (`opencl/many-threads`).
  ///
  /// - Parameter allowsFallback: whether the CPU stands in for a device that is not there.
  public func choose(_ request: String, allowsFallback: Bool = false) throws -> Choice {
    if request == "auto" { return try chooseAutomatically() }
    do { return try find(request) } catch let error as TernError
      where error.kind == .deviceUnavailable && allowsFallback
    {
      guard let cpu = devices.first(where: { $0.backend == "cpu" }) else { throw error }
      return Choice(info: cpu, reason: "it stands in: \(error.message)")
    }
  }

  /// Resolves what `--device` says where it may name several: requests with commas between, or all devices of a
  /// backend (`opencl:all`).
  ///
  /// - Throws: ``TernCore/TernError`` where one is not there, or where they are not of one kind: another kind makes
  ///   other results of the same numbers.
  public func chooseAll(_ request: String, allowsFallback: Bool = false) throws -> [Choice] {
    let choices = try request.split(separator: ",").flatMap { part -> [Choice] in
      let name = part.trimmingPrefix(while: { $0 == " " })
      guard name.hasSuffix(Self.allSuffix) else {
        return [try choose(String(name), allowsFallback: allowsFallback)]
      }
      let first = try choose(String(name.dropLast(Self.allSuffix.count)))
      return devices.filter { $0.backend == first.info.backend && $0.name == first.info.name }
        .map { Choice(info: $0.with(first.info.traits), reason: first.reason) }
    }
    guard let first = choices.first else { return [try choose(request)] }
    if let other = choices.first(where: { $0.info.name != first.info.name }) {
      throw TernError(
        .usage,
        "device: \(first.info.id) (\(first.info.name)) and \(other.info.id) (\(other.info.name)) are of two "
          + "kinds, which make other results of the same numbers; give devices of one")
    }
    return choices
  }

  private static let allSuffix = ":all"

  private func find(_ text: String) throws -> Choice {
    let request = DeviceRequest(text)
    let known = backends.map(\.name)
    guard let backend = backends.first(where: { $0.name == request.backend }) else {
      throw TernError(
        .usage, "unknown device '\(text)'; known are auto, \(known.joined(separator: ", "))")
    }
    guard request.traits.isEmpty || !backend.traits.isEmpty else {
      throw TernError(.usage, "device \(text): \(backend.name) has no '/\(request.traits[0])'")
    }
    let devices = backend.devices()
    guard !devices.isEmpty else {
      throw TernError(
        .deviceUnavailable,
        "no \(backend.name) device: no driver or no device was found"
          + (backend.name == "opencl"
            ? " (install an OpenCL driver, or pocl-opencl-icd for the CPU)" : ""))
    }
    guard let match = devices.first(where: { request.covers($0.id) }) else {
      throw TernError(
        .deviceUnavailable,
        "no device '\(request.device)'; there are \(devices.map(\.id).joined(separator: ", "))")
    }
    return Choice(info: match.with(request.traits), reason: "asked for")
  }

  private func chooseAutomatically() throws -> Choice {
    let all = devices
    if let choice = Self.best(all.filter { $0.kind == .gpu }) { return choice }
    guard let cpu = all.first(where: { $0.backend == "cpu" }) else {
      throw TernError(.deviceUnavailable, "no device was found")
    }
    return Choice(
      info: cpu,
      reason: all.contains { $0.backend == "opencl" }
        ? "no GPU was found, and the native CPU is faster than OpenCL on it" : "no GPU was found")
  }

  /// The GPU to take: one with memory of its own, of those one with most memory, and where one device
  /// is seen through two drivers, its maker's. Compute units say nothing: each maker counts others.
  private static func best(_ gpus: [DeviceInfo]) -> Choice? {
    // Drivers keep some of the memory for themselves, and not all as much.
    func size(_ info: DeviceInfo) -> Int { (info.memoryByteCount + (1 << 29)) >> 30 }
    func rank(_ info: DeviceInfo) -> (Int, Int, Int) {
      (info.sharesHostMemory ? 0 : 1, size(info), info.isMakersDriver ? 1 : 0)
    }
    // The first of equals.
    guard let best = gpus.max(by: { rank($0) < rank($1) }) else { return nil }
    let others = gpus.filter { $0.id != best.id }
    let reason =
      if others.isEmpty {
        "the only GPU"
      } else if !best.sharesHostMemory, others.allSatisfy(\.sharesHostMemory) {
        "the only GPU with memory of its own"
      } else if others.allSatisfy({ rank($0) < (rank(best).0, rank(best).1, 0) }) {
        best.sharesHostMemory ? "the GPU with most memory" : "the discrete GPU with most memory"
      } else if best.isMakersDriver, others.contains(where: { !$0.isMakersDriver }) {
        "the GPU with most memory, by its maker's driver"
      } else {
        "the first of the GPUs with most memory"
      }
    return Choice(info: best, reason: reason)
  }

  /// Opens a chosen device.
  ///
  /// - Throws: ``TernCore/TernError`` of kind `deviceUnavailable` where it cannot do what `options` ask for.
  public func open(_ choice: Choice, options: DeviceOptions = DeviceOptions()) throws -> any Device
  {
    guard let backend = backends.first(where: { $0.name == choice.info.backend }) else {
      throw TernError(.deviceUnavailable, "no backend named \(choice.info.backend)")
    }
    guard backend.precisions.contains(options.precision) else {
      throw TernError(
        .usage,
        "precision: \(choice.info.id) (\(choice.reason)) computes in "
          + backend.precisions.map(\.rawValue).joined(separator: " or ")
          + ", not in \(options.precision.rawValue)")
    }
    let device = try backend.open(choice.info, options: options)
    try options.candidates.check(device)
    didOpen?(device, choice)
    return device
  }

  /// Opens the device that is asked for; see ``choose(_:allowsFallback:)``.
  public func open(
    _ request: String = "auto", options: DeviceOptions = DeviceOptions()
  ) throws -> any Device {
    try open(choose(request), options: options)
  }
}

extension DeviceCatalog {
  /// How a device is asked for.
  public static let requests = "auto, reference, cpu, opencl[:P[.D]][/TRAIT…]"
  /// How several are asked for.
  public static let severalRequests = "several of one kind with commas between, or opencl:all"
}
