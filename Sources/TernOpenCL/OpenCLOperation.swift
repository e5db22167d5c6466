import COpenCL
import TernCore
import TernGraph
import TernRuntime

/// An operation with kernels of its own.
protocol OpenCLOperation: Operation {
  /// Scratch memory, in bytes.
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) throws -> Int

  /// Whether the kernels take these inputs, of which some have 16 bits: never unless an operation says so.
  func storesHalves(_ inputs: [TensorType]) -> Bool

  /// Appends the launches that compute the outputs from the inputs.
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws
}

extension OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { 0 }

  func storesHalves(_ inputs: [TensorType]) -> Bool { false }
}

/// Something a step does, with all arguments set.
protocol Launch: AnyObject {
  func enqueue(_ queue: cl_command_queue) throws
}

/// A kernel with its ranges.
final class KernelLaunch: Launch {
  private let kernel: Kernel
  private let name: String
  private let globalSize: [Int]
  private let localSize: [Int]
  /// Buffers among them live as long as the launch.
  private let arguments: [Argument]

  init(
    _ kernel: Kernel, name: String, groups: [Int], localSize: [Int], _ arguments: [Argument]
  ) {
    self.kernel = kernel
    self.name = name
    self.localSize = localSize
    self.arguments = arguments
    globalSize = zip(groups, localSize).map(*)
  }

  func enqueue(_ queue: cl_command_queue) throws {
    try check(
      clEnqueueNDRangeKernel(
        queue, kernel.handle, cl_uint(globalSize.count), nil, globalSize, localSize, 0, nil, nil),
      "clEnqueueNDRangeKernel(\(name))")
  }

  /// What it takes to record the launch: the kernel, and how many work-items in all and in a group.
  func withRange(_ body: (cl_kernel, [Int], [Int]) throws -> Void) rethrows {
    try body(kernel.handle, globalSize, localSize)
  }
}

/// A copy between buffers.
final class CopyLaunch: Launch {
  private let source: View
  private let destination: View

  init(from source: View, to destination: View) {
    self.source = source
    self.destination = destination
  }

  func enqueue(_ queue: cl_command_queue) throws {
    try check(
      clEnqueueCopyBuffer(
        queue, source.memory, destination.memory, source.byteOffset, destination.byteOffset,
        source.type.byteCount, 0, nil, nil), "clEnqueueCopyBuffer")
  }
}

/// Collects the launches of one node.
final class StepEncoder {
  let device: OpenCLDevice
  /// The node's scratch memory.
  private let workspace: View?
  private(set) var pending: [PendingLaunch] = []
  /// For what the launches that are appended are one of several implementations.
  private var choice: PendingLaunch.Choice?
  /// What runs the node, where it has a choice; else the kernels it launched, by name.
  var implementation: String?
  private(set) var kernelNames: [String] = []

  init(device: OpenCLDevice, workspace: View?) {
    self.device = device
    self.workspace = workspace
  }

  var architecture: Architecture { device.architecture }

  /// What runs the node, as profiles name it.
  var name: String { implementation ?? kernelNames.joined(separator: " + ") }

  /// `count` elements of the node's scratch memory, from `start` on.
  func scratch(_ start: Int, count: Int) -> View {
    guard let workspace, start + count <= workspace.count else {
      preconditionFailure("less workspace was planned")
    }
    return View(
      memory: workspace.memory, offset: workspace.offset + start, type: TensorType([count]))
  }

  /// The local memory in which the work-items of ``rows(_:in:count:_:defines:)`` meet.
  var rowScratch: Argument { .localFloats(device.rowGroup) }

  func append(_ launch: any Launch) { append(.ready(launch)) }

  /// Appends what a library does; `prepare` makes it compile what it needs.
  func append(_ name: String, preparing prepare: @escaping () throws -> any Launch) {
    append(.library(name, prepare))
  }

  private func append(_ kind: PendingLaunch.Kind) {
    pending.append(PendingLaunch(kind: kind, choice: choice))
  }

  /// Encodes an implementation of a problem. One for which the device has no room is passed over from
  /// then on, by a plan to be made anew.
  ///
  /// - Parameter isOnly: whether there is no other.
  func choosing(
    _ implementation: String, of problem: String, isOnly: Bool, _ body: () throws -> Void
  ) throws {
    let (outer, own) = (
      choice, PendingLaunch.Choice(problem: problem, implementation: implementation, isOnly: isOnly)
    )
    choice = own
    defer { choice = outer }
    do {
      try body()
    } catch let misfit as DoesNotFit {
      throw device.passOver(own, misfit)
    }
  }

  /// The kernels to be compiled.
  var requests: [KernelRequest] {
    pending.compactMap { if case .kernel(let request) = $0.kind { request } else { nil } }
  }

  /// The launches with all arguments set. Compiles what was not compiled before.
  func finish() throws -> [any Launch] {
    try pending.map { pending in
      do {
        return switch pending.kind {
        case .ready(let launch): launch
        case .library(_, let prepare): try prepare()
        case .kernel(let request): try request.launch(on: device)
        }
      } catch let misfit as DoesNotFit {
        throw pending.choice.map { device.passOver($0, misfit) } ?? misfit
      }
    }
  }

  /// Appends a kernel over `count` work-items that do not meet, rounded up to whole groups; the kernel
  /// checks bounds.
  ///
  /// - Parameter groupSize: the work-items of a group, where the device and the kernel let it have so
  ///   many.
  func map(
    _ name: String, in file: String, count: Int, groupSize: Int = 64, _ arguments: [Argument],
    defines: [String: Int] = [:], function: String? = nil
  ) throws {
    // Nothing to do, which OpenCL before 2.1 does not know.
    guard count > 0 else { return }
    request(
      name, in: file, arguments, defines, function, "", .items(count: count, groupSize: groupSize))
  }

  /// Appends a kernel over `count` elements, of which a work-item takes as many as the architecture
  /// likes.
  func elements(
    _ name: String, in file: String, count: Int, _ arguments: [Argument],
    defines: [String: Int] = [:], function: String? = nil
  ) throws {
    let vectors = elementVectors(count, arguments)
    try map(
      name, in: file, count: vectors.count, arguments,
      defines: defines.merging(vectors.defines) { given, _ in given }, function: function)
  }

  /// The vectors of `count` elements, those behind the last whole vector counted one by one where
  /// vectors are taken whole: `ELEMENTS` in `common/common.cl`.
  func elementVectors(
    _ count: Int, _ arguments: [Argument]
  ) -> (count: Int, defines: [String: Int]) {
    let width = architecture.elementwiseWidth
    guard isAligned(arguments) else { return ((count + width - 1) / width, ["V": width]) }
    return (count / width + count % width, ["V": width, "ALIGNED": 1])
  }

  /// The width of vectors along rows of `extent` elements, and what makes them in a kernel. Rows, and
  /// whatever else is added to a vector's place, lie multiples of `distances` apart.
  func rowVectors(
    _ extent: Int, _ arguments: [Argument], apart distances: [Int] = []
  ) -> (width: Int, defines: [String: Int]) {
    if isAligned(arguments, apart: [extent] + distances) {
      return (4, ["V": 4, "ALIGNED": 1, "WHOLE": 1])
    }
    let width = architecture.vectorWidth(upTo: extent)
    return (width, ["V": width])
  }

  /// Whether a GPU may take vectors of four elements whole.
  func isAligned(_ arguments: [Argument], apart distances: [Int] = []) -> Bool {
    architecture == .manyThreads && distances.allSatisfy { $0 % 4 == 0 }
      && arguments.allSatisfy {
        if case .tensor(let view) = $0 { view.offset % 4 == 0 } else { true }
      }
  }

  /// Appends a kernel over `count` elements, four for every counter of the random stream; a work-item
  /// takes a vector of counters.
  func counters(_ name: String, in file: String, count: Int, _ arguments: [Argument]) throws {
    let width = architecture.vectorWidth
    var defines = ["V": width]
    if isAligned(arguments) { defines["ALIGNED"] = 1 }
    try map(
      name, in: file, count: (count + 4 * width - 1) / (4 * width), arguments, defines: defines)
  }

  /// Appends a kernel over `count` work-items each of which does much.
  func blocks(
    _ name: String, in file: String, count: Int, _ arguments: [Argument],
    defines: [String: Int] = [:]
  ) throws {
    try map(
      name, in: file, count: count, groupSize: architecture.blockGroup, arguments,
      defines: defines)
  }

  /// Appends a kernel over rows of `length` neighbours, one behind the other. A GPU's work-items share
  /// a row in teams, of which a group has several where rows are short.
  func rows(
    _ name: String, in file: String, count: Int, length: Int, _ arguments: [Argument],
    defines: [String: Int] = [:]
  ) throws {
    guard architecture == .manyThreads else {
      return try rows(name, in: file, count: count, arguments, defines: defines)
    }
    let vectors = rowVectors(length, arguments)
    // Two vectors for each, until the group is full.
    var team = 1
    while team < device.rowGroup, 2 * team * vectors.width < length { team *= 2 }
    teams(
      name, in: file, count: count, sharing: team, arguments,
      defines: defines.merging(vectors.defines) { given, _ in given })
  }

  /// Appends a kernel over rows that have `wanted` work-items each, where a group has so many.
  func teams(
    _ name: String, in file: String, count: Int, sharing wanted: Int, _ arguments: [Argument],
    defines: [String: Int] = [:]
  ) {
    let size =
      architecture == .manyThreads ? device.rowGroup : max(wanted, device.limits.group(upTo: 64))
    groups(name, in: file, upTo: size, arguments, defines: defines) { size in
      let team = min(wanted, size)
      let teams = size / team
      return ((count + teams - 1) / teams, ["GROUP": team, "TEAMS": teams])
    }
  }

  /// Appends a kernel whose groups may have any power of two of work-items up to `size`.
  ///
  /// - Parameter cut: how many groups of a size there are, and what tells the kernel.
  func groups(
    _ name: String, in file: String, upTo size: Int, _ arguments: [Argument],
    defines: [String: Int] = [:],
    cut: @escaping (Int) -> (count: Int, defines: [String: Int])
  ) {
    let (count, shape) = cut(size)
    guard count > 0 else { return }
    request(
      name, in: file, arguments, defines.merging(shape) { $1 }, nil, "",
      .flexible(size: size, cut))
  }

  /// Appends a kernel with so many work-items per row as the architecture likes and the device lets it
  /// have.
  func rows(
    _ name: String, in file: String, count: Int, _ arguments: [Argument],
    defines: [String: Int] = [:]
  ) throws {
    let group = device.rowGroup
    request(
      name, in: file, arguments,
      defines.merging(["GROUP": group, "V": architecture.vectorWidth]) { given, _ in given }, nil,
      "",
      .rows(count: count, group: group))
  }

  /// Appends a kernel whose groups are as large as it was written for.
  ///
  /// - Parameters:
  ///   - defines: what the source is specialised by.
  ///   - function: the value of `FUNCTION`, where the source names one of its functions so.
  ///   - options: what else the compiler is told.
  /// - Throws: ``DoesNotFit`` where the device has no room for such groups.
  func launch(
    _ name: String, in file: String, groups: [Int], localSize: [Int], _ arguments: [Argument],
    defines: [String: Int] = [:], function: String? = nil, options: String = ""
  ) throws {
    // A compiler refuses a kernel that says how large its groups are, where the device cannot.
    try device.limits.check(localSize.reduce(1, *), of: name)
    request(
      name, in: file, arguments, defines, function, options, .groups(groups, localSize: localSize))
  }

  private func request(
    _ name: String, in file: String, _ arguments: [Argument], _ defines: [String: Int],
    _ function: String?, _ options: String, _ cut: KernelRequest.Cut
  ) {
    var defines = defines.mapValues { "\($0)" }
    defines["FUNCTION"] = function
    defines.merge(KernelSource.named(file).storageDefines(of: name, arguments)) { given, _ in given
    }
    let isFloat16 = ["INPUT_TYPE", "OUTPUT_TYPE"].contains {
      defines[$0] == "\(DataType.float16.kernelType)"
    }
    if isFloat16, device.info.kind == .cpu { defines["HALVES_BY_BITS"] = "1" }
    kernelNames.append(name)
    append(
      .kernel(
        KernelRequest(
          name: name, file: file, defines: defines, options: options, arguments: arguments,
          cut: cut)))
  }
}
