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

  /// Appends the launches that compute the outputs from the inputs.
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws
}

extension OpenCLOperation {
  func workspaceByteCount(
    inputs: [TensorType], outputs: [TensorType], on device: OpenCLDevice
  ) -> Int { 0 }
}

/// A value in device memory.
struct View {
  let memory: cl_mem
  /// In elements.
  let offset: Int
  let type: TensorType

  var shape: Shape { type.shape }
  var count: Int { type.elementCount }

  /// The same memory under another shape.
  func reshaped(_ shape: Shape) -> View {
    View(memory: memory, offset: offset, type: TensorType(shape, type.dataType))
  }

  /// Some samples of a batch [N, …].
  func samples(_ first: Int, count: Int) -> View {
    let perSample = shape.elementCount(in: 1..<shape.rank)
    return View(
      memory: memory, offset: offset + first * perSample,
      type: TensorType(Shape([count] + shape.dimensions.dropFirst()), type.dataType))
  }
}

/// An argument of a kernel.
enum Argument {
  /// A pointer and an element offset: two arguments of the kernel.
  case tensor(View)
  case int(Int)
  case uint(UInt32)
  case float(Float)
  /// Up to eight integers as an `int8`.
  case ints([Int])
  /// Local memory for so many floats.
  case localFloats(Int)
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

  init(_ kernel: Kernel, name: String, groups: [Int], localSize: [Int]) {
    self.kernel = kernel
    self.name = name
    self.localSize = localSize
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
        queue, source.memory, destination.memory, source.offset * 4, destination.offset * 4,
        source.type.byteCount, 0, nil, nil), "clEnqueueCopyBuffer")
  }
}

/// Collects the launches of one node.
final class StepEncoder {
  let device: OpenCLDevice
  /// The node's scratch memory.
  private let workspace: View?
  private(set) var launches: [any Launch] = []
  /// What runs the node, where it has a choice; else the kernels it launched, by name.
  var implementation: String?
  private(set) var kernelNames: [String] = []

  init(device: OpenCLDevice, workspace: View?) {
    self.device = device
    self.workspace = workspace
  }

  var architecture: Architecture { device.architecture }

  /// `count` elements of the node's scratch memory, from `start` on.
  func scratch(_ start: Int, count: Int) -> View {
    guard let workspace, start + count <= workspace.count else {
      preconditionFailure("less workspace was planned")
    }
    return View(
      memory: workspace.memory, offset: workspace.offset + start, type: TensorType([count]))
  }

  /// The local memory in which the work-items of ``rows(_:in:count:_:defines:)`` meet.
  var rowScratch: Argument { .localFloats(architecture.rowGroup) }

  func append(_ launch: any Launch) { launches.append(launch) }

  /// Appends a kernel over `count` work-items, rounded up to whole groups; the kernel checks bounds.
  func map(
    _ name: String, in file: String, count: Int, groupSize: Int = 64, _ arguments: [Argument],
    defines: [String: Int] = [:], function: String? = nil
  ) throws {
    try launch(
      name, in: file, groups: [(count + groupSize - 1) / groupSize], localSize: [groupSize],
      arguments, defines: defines, function: function)
  }

  /// Appends a kernel over `count` elements, of which a work-item takes as many as the architecture
  /// likes.
  func elements(
    _ name: String, in file: String, count: Int, _ arguments: [Argument],
    defines: [String: Int] = [:], function: String? = nil
  ) throws {
    let width = architecture.elementwiseWidth
    try map(
      name, in: file, count: (count + width - 1) / width, arguments,
      defines: defines.merging(["V": width]) { given, _ in given }, function: function)
  }

  /// Appends a kernel over `count` elements, four for every counter of the random stream; a work-item
  /// takes a vector of counters.
  func counters(_ name: String, in file: String, count: Int, _ arguments: [Argument]) throws {
    let width = architecture.vectorWidth
    try map(
      name, in: file, count: (count + 4 * width - 1) / (4 * width), arguments,
      defines: ["V": width])
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

  /// Appends a kernel with so many work-items per row as the architecture likes.
  func rows(
    _ name: String, in file: String, count: Int, _ arguments: [Argument],
    defines: [String: Int] = [:]
  ) throws {
    let defines = defines.merging(
      ["GROUP": architecture.rowGroup, "V": architecture.vectorWidth]
    ) { given, _ in given }
    try launch(
      name, in: file, groups: [count], localSize: [architecture.rowGroup], arguments,
      defines: defines)
  }

  /// - Parameters:
  ///   - defines: what the source is specialised by.
  ///   - function: the value of `FUNCTION`, where the source names one of its functions so.
  func launch(
    _ name: String, in file: String, groups: [Int], localSize: [Int], _ arguments: [Argument],
    defines: [String: Int] = [:], function: String? = nil
  ) throws {
    var defines = defines.mapValues { "\($0)" }
    defines["FUNCTION"] = function
    let kernel = try device.programs.kernel(name, in: file, defines: defines)
    var index = 0
    for argument in arguments {
      switch argument {
      case .tensor(let view):
        try kernel.set(index, view.memory)
        index += 1
        try kernel.set(index, UInt32(view.offset))
      case .int(let value): try kernel.set(index, Int32(value))
      case .uint(let value): try kernel.set(index, value)
      case .float(let value): try kernel.set(index, value)
      case .ints(let values):
        var vector = SIMD8<Int32>(repeating: 0)
        for (i, value) in values.enumerated() { vector[i] = Int32(value) }
        try kernel.set(index, vector)
      case .localFloats(let count): try kernel.setLocal(index, byteCount: 4 * count)
      }
      index += 1
    }
    kernelNames.append(name)
    append(KernelLaunch(kernel, name: name, groups: groups, localSize: localSize))
  }
}
