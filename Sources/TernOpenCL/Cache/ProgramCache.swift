import COpenCL
import Foundation
import Synchronization
import TernCore
import TernKernels
import TernRuntime

/// Builds kernels, each combination of kernel and options once per process, and once for all processes
/// where there is a folder for binaries. A program has one kernel: what a file has besides would be
/// compiled with defines that were not meant for it.
package final class ProgramCache: Sendable {
  private let context: Context
  private let device: CLDevice
  /// What stands in front of every source.
  private let prefix: String
  private let store: ProgramStore?
  private let loads = Atomic(0)
  private let programs = Mutex<[Key: Program]>([:])

  private struct Key: Hashable {
    let file: String
    let kernel: String
    let options: String

    /// Numbers are as the language leaves them to a driver: products may be fused with sums, divisions
    /// may be off by 2.5 units in the last place. Nothing is asked for that is less exact.
    init(_ request: KernelRequest) {
      (file, kernel) = (request.file, request.name)
      options =
        (["-cl-std=CL1.2"] + (request.options.isEmpty ? [] : [request.options])
        + request.defines.sorted { $0.key < $1.key }.map { "-D\($0.key)=\($0.value)" })
        .joined(separator: " ")
    }
  }

  init(context: Context, device: CLDevice, prefix: String, directory: CacheDirectory?) {
    self.context = context
    self.device = device
    self.prefix = prefix
    store = directory.map { ProgramStore($0, device: device) }
  }

  /// What was built, as file, kernel and options; sorted.
  package var builds: [(file: String, kernel: String, options: String)] {
    programs.withLock { Array($0.keys) }
      .map { ($0.file, $0.kernel, $0.options) }.sorted { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }
  }

  /// How many programs came from the disk.
  var loadCount: Int { loads.load(ordering: .relaxed) }

  /// The source of a kernel file, such as `elementwise/unary`, with what it includes put in.
  package static func source(_ file: String) -> String {
    var included: Set<String> = []
    return source(file, &included)
  }

  private static func source(_ file: String, _ included: inout Set<String>) -> String {
    guard included.insert(file).inserted else { return "" }
    guard let text = tern_kernel_source(file) else {
      preconditionFailure("no kernel file named \(file)")
    }
    let directive = "#include \""
    return String(cString: text).split(separator: "\n", omittingEmptySubsequences: false).map {
      line in
      guard line.hasPrefix(directive) else { return String(line) }
      // Relative to the file: "window.cl" or "../common/common.cl".
      let path = line.dropFirst(directive.count).prefix { $0 != "\"" }.dropLast(".cl".count)
      let folder = file.prefix { $0 != "/" }
      return source(
        path.hasPrefix("../") ? String(path.dropFirst(3)) : "\(folder)/\(path)", &included)
    }.joined(separator: "\n")
  }

  /// The same with one of its kernels alone. Kernels start and end at the start of a line.
  package static func source(_ file: String, kernel: String) -> String {
    var lines: [Substring] = []
    var skipsKernel = false
    let text = source(file)
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("__kernel ") {
        // Its name stands in front of the first parenthesis that follows `void`.
        let name = line.range(of: "void ").map { line[$0.upperBound...].prefix { $0 != "(" } }
        skipsKernel = name.map { $0 != kernel } ?? false
      }
      if !skipsKernel { lines.append(line) }
      if line == "}" { skipsKernel = false }
    }
    return lines.joined(separator: "\n")
  }

  /// A kernel of its own, with arguments to be set.
  func kernel(_ request: KernelRequest) throws -> Kernel {
    let key = Key(request)
    if let program = programs.withLock({ $0[key] }) { return try Kernel(program, request.name) }
    // Two threads may build the same; the first stays.
    let program = try build(key)
    let kept = programs.withLock { programs in
      let kept = programs[key] ?? program
      programs[key] = kept
      return kept
    }
    return try Kernel(kept, request.name)
  }

  /// Builds what is missing, as many at a time as there are cores; says how far it is.
  func prepare(_ requests: [KernelRequest]) throws {
    var seen: Set<Key> = []
    let all = requests.map(Key.init).filter { seen.insert($0).inserted }
    let missing = programs.withLock { programs in all.filter { programs[$0] == nil } }
    guard !missing.isEmpty else { return }
    let report = CompilationProgress.report
    let state = Mutex<(done: Int, failure: (any Error)?)>((0, nil))
    report?(0, missing.count)
    // Compilers recurse deeply.
    BackgroundThread.concurrently(
      missing.count, name: "tern-compiler", stackByteCount: 16 << 20,
      threads: device.compilesInParallel ? nil : 1
    ) { index in
      guard state.withLock({ $0.failure == nil }) else { return }
      do {
        let program = try build(missing[index])
        programs.withLock { $0[missing[index]] = program }
        let done = state.withLock { state in
          state.done += 1
          return state.done
        }
        report?(done, missing.count)
      } catch {
        state.withLock { $0.failure = $0.failure ?? error }
      }
    }
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  private func build(_ key: Key) throws -> Program {
    let (file, options) = (key.file, key.options)
    let source = prefix + Self.source(file, kernel: key.kernel)
    if let binary = store?.binary(source: source, options: options),
      let program = load(binary, options: options)
    {
      loads.add(1, ordering: .relaxed)
      return program
    }
    let program = Program(
      owning: try created("clCreateProgramWithSource") { code in
        source.withCString { text in
          var text: UnsafePointer<CChar>? = text
          return clCreateProgramWithSource(context.handle, 1, &text, nil, &code)
        }
      })
    try compile(program, file: "\(file).cl, \(key.kernel)", options: options)
    if let store, let binary = binary(of: program) {
      store.keep(binary, source: source, options: options)
    }
    return program
  }

  /// A program from what an earlier process compiled; `nil` where the driver will not have it.
  private func load(_ binary: Data, options: String) -> Program? {
    var device: cl_device_id? = self.device.handle
    var status: cl_int = 0
    var code: cl_int = 0
    let handle = binary.withUnsafeBytes { bytes in
      var size = bytes.count
      var address = bytes.bindMemory(to: UInt8.self).baseAddress
      return clCreateProgramWithBinary(
        context.handle, 1, &device, &size, &address, &status, &code)
    }
    guard code == CL_SUCCESS, status == CL_SUCCESS, let handle else { return nil }
    let program = Program(owning: handle)
    return clBuildProgram(handle, 1, &device, options, nil, nil) == CL_SUCCESS ? program : nil
  }

  private func binary(of program: Program) -> Data? {
    var size = 0
    guard
      clGetProgramInfo(
        program.handle, cl_program_info(CL_PROGRAM_BINARY_SIZES), MemoryLayout<Int>.size, &size,
        nil) == CL_SUCCESS, size > 0
    else { return nil }
    var binary = Data(count: size)
    let code = binary.withUnsafeMutableBytes { bytes in
      var address = bytes.bindMemory(to: UInt8.self).baseAddress
      return clGetProgramInfo(
        program.handle, cl_program_info(CL_PROGRAM_BINARIES),
        MemoryLayout<UnsafeMutablePointer<UInt8>?>.size, &address, nil)
    }
    return code == CL_SUCCESS ? binary : nil
  }

  private func compile(_ program: Program, file: String, options: String) throws {
    var device: cl_device_id? = self.device.handle
    let code = clBuildProgram(program.handle, 1, &device, options, nil, nil)
    guard code != CL_SUCCESS else { return }
    var size = 0
    clGetProgramBuildInfo(
      program.handle, device, cl_program_build_info(CL_PROGRAM_BUILD_LOG), 0, nil, &size)
    var log = [UInt8](repeating: 0, count: size)
    clGetProgramBuildInfo(
      program.handle, device, cl_program_build_info(CL_PROGRAM_BUILD_LOG), size, &log, nil)
    let lines = String(decoding: log.prefix { $0 != 0 }, as: UTF8.self).split(separator: "\n")
    throw TernError(
      .runtime,
      "the driver cannot compile \(file) (\(code)): \(lines.prefix(4).joined(separator: " | "))")
  }
}
