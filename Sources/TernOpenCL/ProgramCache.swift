import COpenCL
import Synchronization
import TernCore
import TernKernels

/// Builds kernel sources, each combination of file and options once per process. Drivers keep
/// binaries on disk themselves.
final class ProgramCache: Sendable {
  private let context: Context
  private let device: CLDevice
  private let programs = Mutex<[Key: Program]>([:])

  private struct Key: Hashable {
    let file: String
    let options: String
  }

  init(context: Context, device: CLDevice) {
    self.context = context
    self.device = device
  }

  /// The source of a kernel file, such as `elementwise/unary`, with what it includes put in.
  static func source(_ file: String) -> String {
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
    let source = Self.source(file)
    let program = Program(
      owning: try created("clCreateProgramWithSource") { code in
        source.withCString { text in
          var text: UnsafePointer<CChar>? = text
          return clCreateProgramWithSource(context.handle, 1, &text, nil, &code)
        }
      })
    try compile(program, file: file, options: options)
    return program
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
