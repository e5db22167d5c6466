import COpenCL
import Foundation
import Synchronization
import TernCore
import TernRuntime

/// Builds kernels, each with the same defines once per process, and once for all processes where there is a
/// folder for binaries.
package final class ProgramCache: Sendable {
  private let context: Context
  private let device: CLDevice
  /// What stands in front of every source.
  private let prefix: String
  private let store: ProgramStore?
  private let compositions: ProgramCompositions?
  private let loads = Atomic(0)
  private let kernels = Mutex<[KernelBuild: (program: Program, name: String)]>([:])

  /// - Parameter storesBinaries: whether what is compiled goes to `directory`.
  init(
    context: Context, device: CLDevice, prefix: String, directory: CacheDirectory?,
    storesBinaries: Bool
  ) {
    self.context = context
    self.device = device
    self.prefix = prefix
    store = storesBinaries ? directory.map { ProgramStore($0, device: device) } : nil
    compositions = directory.map { ProgramCompositions($0, device: device) }
  }

  /// What was built, sorted.
  package var builds: [KernelBuild] {
    kernels.withLock { Array($0.keys) }.sorted {
      ($0.file, $0.kernel, $0.commandLine) < ($1.file, $1.kernel, $1.commandLine)
    }
  }

  /// How many programs came from the disk.
  var loadCount: Int { loads.load(ordering: .relaxed) }

  /// A kernel of its own, with arguments to be set.
  func kernel(_ request: KernelRequest) throws -> Kernel {
    let key = KernelBuild(request)
    if kernels.withLock({ $0[key] == nil }) { try build([key], report: nil) }
    let (program, name) = kernels.withLock { $0[key]! }
    return try Kernel(program, name)
  }

  /// Builds what is missing, as many programs at a time as there are cores; says how far it is.
  func prepare(_ requests: [KernelRequest]) throws {
    let all = Set(requests.map(KernelBuild.init))
    let missing = kernels.withLock { kernels in all.filter { kernels[$0] == nil } }
    if !missing.isEmpty { try build(missing, report: CompilationProgress.report) }
  }

  private func build(_ missing: Set<KernelBuild>, report: CompilationProgress.Report?) throws {
    let known = compositions?.programs(having: missing) ?? []
    let new = ProgramSource.all(of: missing.subtracting(known.flatMap(\.kernels)))
    let programs = known + new
    let state = Mutex<(done: Int, failure: (any Error)?)>((0, nil))
    report?(0, missing.count)
    // Compilers recurse deeply.
    BackgroundThread.concurrently(
      programs.count, name: "tern-compiler", stackByteCount: 16 << 20,
      threads: device.compilesInParallel ? nil : 1
    ) { index in
      guard state.withLock({ $0.failure == nil }) else { return }
      do {
        let source = programs[index]
        let needed = missing.intersection(source.kernels)
        do { try keep(source, build(source)) } catch  where needed.count < source.kernels.count {
          // What an earlier process wanted besides.
          let source = ProgramSource(Array(needed))
          try keep(source, build(source))
        }
        for _ in needed {
          let done = state.withLock { state in
            state.done += 1
            return state.done
          }
          report?(done, missing.count)
        }
      } catch {
        state.withLock { $0.failure = $0.failure ?? error }
      }
    }
    if let failure = state.withLock({ $0.failure }) { throw failure }
    compositions?.note(new)
  }

  /// Two threads may build the same; the first stays.
  private func keep(_ source: ProgramSource, _ program: Program) {
    kernels.withLock { kernels in
      for kernel in source.kernels where kernels[kernel] == nil {
        kernels[kernel] = (program, source.name(of: kernel))
      }
    }
  }

  private func build(_ program: ProgramSource) throws -> Program {
    let options = ProgramSource.options(program.options)
    let source = prefix + program.text
    if let binary = store?.binary(source: source, options: options),
      let program = load(binary, options: options)
    {
      loads.add(1, ordering: .relaxed)
      return program
    }
    let built = Program(
      owning: try created("clCreateProgramWithSource") { code in
        source.withCString { text in
          var text: UnsafePointer<CChar>? = text
          return clCreateProgramWithSource(context.handle, 1, &text, nil, &code)
        }
      })
    let names = Set(program.kernels.map(\.kernel)).sorted().joined(separator: ", ")
    try compile(built, file: "\(program.file).cl, \(names)", options: options)
    if let store, let binary = binary(of: built) {
      store.keep(binary, source: source, options: options)
    }
    return built
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
