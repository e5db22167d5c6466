import COpenCL
import Foundation
import Synchronization
import TernCore
import TernKernels

/// Builds kernel sources, each combination of file and options once per process, and once for all
/// processes where there is a folder for binaries.
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
    let options: String
  }

  init(context: Context, device: CLDevice, prefix: String, directory: CacheDirectory?) {
    self.context = context
    self.device = device
    self.prefix = prefix
    store = directory.map { ProgramStore($0, device: device) }
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

  /// A kernel of its own, with arguments to be set.
  func kernel(_ name: String, in file: String, defines: [String: String]) throws -> Kernel {
    let options =
      "-cl-std=CL1.2 "
      + defines.sorted { $0.key < $1.key }.map { "-D\($0.key)=\($0.value)" }.joined(separator: " ")
    let program = try programs.withLock { programs in
      let key = Key(file: file, options: options)
      if let program = programs[key] { return program }
      let program = try build(file, options: options)
      programs[key] = program
      return program
    }
    return try Kernel(program, name)
  }

  private func build(_ file: String, options: String) throws -> Program {
    let source = prefix + Self.source(file)
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
    try compile(program, file: file, options: options)
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
      "the driver cannot compile \(file).cl (\(code)): \(lines.prefix(4).joined(separator: " | "))")
  }
}
