import TernCore

/// In what a device is treated otherwise than its driver says: so tests run the kernels for GPUs on a
/// CPU, and see what becomes of a device with small limits.
package struct DeviceTraits: Hashable, Sendable {
  /// The architecture; by the device's type where `nil`.
  package var architecture: ArchitectureName?
  /// The floats of a vector of wide cores, where it is not the device's own.
  package var vectorWidth: Int?
  /// Whether the device has slow tensor cores in place of its own.
  package var emulatesTensorCores = false
  /// Whether a step's kernels are recorded once and enqueued together from then on, where the driver
  /// has cl_khr_command_buffer.
  package var recordsSteps = false
  /// Whether the work-items of a group are numbered from the last to the first: kernels that rely on
  /// an order compute something else then.
  package var reversesWorkItems = false

  /// Smaller limits than the device's own: work-items of a group, bytes of local memory, bytes of a
  /// buffer.
  package var groupSize: Int?
  /// The same of any kernel: its own limit may be below the device's.
  package var kernelGroupSize: Int?
  package var localByteCount: Int?
  package var allocationByteCount: Int?

  /// The compute units by which work is cut, where they are not the device's.
  package var computeUnits: Int?
  /// Whether compiled programs are kept also where the driver does so itself.
  package var storesPrograms = false
  /// Whether large inputs go by a queue of their own also where the host's memory is the device's.
  package var hasUploadQueue = false

  package enum ArchitectureName: String, Hashable, Sendable {
    case wideCores = "wide-cores"
    case manyThreads = "many-threads"
  }

  package init() {}

  /// - Parameter spellings: as they stand in a device's id: `many-threads`, `wide-cores=8`.
  /// - Throws: ``TernError`` of kind `usage`.
  package init(_ spellings: [String]) throws {
    for spelling in spellings {
      let parts = spelling.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let kind = Self.all.first(where: { $0.name == parts[0] }) else {
        throw TernError(
          .usage,
          "device: no trait is named '\(spelling)'; there are "
            + Self.all.map(\.spelling).joined(separator: ", "))
      }
      let value = parts.count == 2 ? Int(parts[1]) : nil
      guard value.map(kind.accepts) ?? (parts.count == 1 && kind.isComplete) else {
        throw TernError(.usage, "device: expected \(kind.spelling), got '\(spelling)'")
      }
      kind.apply(&self, value)
    }
  }

  /// A trait as a device's id spells it.
  struct Kind: Sendable {
    let name: String
    /// What stands for the number behind it, and whether there may be none.
    var valueName: String?
    var isComplete = true
    var accepts: @Sendable (Int) -> Bool = { _ in false }
    let help: String
    let apply: @Sendable (inout DeviceTraits, Int?) -> Void

    /// A trait that is a number of at least 1.
    static func number(
      _ name: String, _ valueName: String, help: String,
      _ property: any WritableKeyPath<DeviceTraits, Int?> & Sendable
    ) -> Kind {
      Kind(
        name: name, valueName: valueName, isComplete: false, accepts: { $0 > 0 }, help: help,
        apply: { $0[keyPath: property] = $1 })
    }

    var spelling: String {
      guard let valueName else { return name }
      return isComplete ? "\(name)[=\(valueName)]" : "\(name)=\(valueName)"
    }
  }

  static let all = [
    Kind(name: "many-threads", help: "run the kernels for GPUs") { traits, _ in
      traits.architecture = .manyThreads
    },
    Kind(
      name: "wide-cores", valueName: "4|8|16", accepts: [4, 8, 16].contains,
      help: "run the kernels for CPUs, with vectors of so many floats"
    ) { traits, width in
      traits.architecture = .wideCores
      traits.vectorWidth = width
    },
    Kind(name: "emulated-tensor-cores", help: "compute in tf32 and bf16 without the hardware") {
      traits, _ in traits.emulatesTensorCores = true
    },
    Kind(name: "recorded-steps", help: "enqueue a step by cl_khr_command_buffer") { traits, _ in
      traits.recordsSteps = true
    },
    Kind(
      name: "reversed-ids", help: "number a group's work-items backwards, to find missing barriers"
    ) { traits, _ in traits.reversesWorkItems = true },
    Kind(name: "stored-programs", help: "keep compiled programs also where the driver does") {
      traits, _ in traits.storesPrograms = true
    },
    Kind(name: "upload-queue", help: "bring inputs to the device as for a GPU with own memory") {
      traits, _ in traits.hasUploadQueue = true
    },
    .number(
      "compute-units", "N", help: "cut work for a GPU of N multiprocessors", \.computeUnits),
    .number(
      "work-group", "N", help: "let no work-group have more than N work-items", \.groupSize),
    .number(
      "kernel-work-group", "N", help: "the same, found out when a kernel is compiled",
      \.kernelGroupSize),
    .number(
      "local-memory", "BYTES", help: "let no work-group have more local memory",
      \.localByteCount),
    .number("allocation", "BYTES", help: "let no buffer be larger", \.allocationByteCount),
  ]

  /// The architecture of a device that is treated so.
  func architecture(_ device: CLDevice) -> Architecture {
    switch architecture {
    case .manyThreads: .manyThreads
    // A device that is no CPU would say how wide the vectors of a work-item are.
    case .wideCores:
      .wideCores(vectorWidth: vectorWidth ?? (device.isGPU ? 16 : device.nativeVectorWidth))
    case nil: Architecture(device)
    }
  }

  /// What stands in front of every kernel's source.
  var sourcePrefix: String {
    guard reversesWorkItems else { return "" }
    // A macro does not expand itself.
    return """
      #define get_local_id(d) (get_local_size(d) - 1 - get_local_id(d))
      #define get_global_id(d) (get_group_id(d) * get_local_size(d) + get_local_id(d))

      """
  }
}
