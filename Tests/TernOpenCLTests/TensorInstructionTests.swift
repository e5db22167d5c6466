import Foundation
import TernOpenCL
import Testing

/// The lines that no device here can run, as far as a compiler knows them: the kernels for tensor cores
/// compiled to PTX, by a clang that has NVIDIA's target, and assembled where `ptxas` is found.
@Suite struct TensorInstructionTests {
  /// What a driver's own compiler has built in.
  private static let prelude = """
    #define get_local_id(d) __nvvm_read_ptx_sreg_tid_x()
    #define get_group_id(d) ((d) == 0 ? __nvvm_read_ptx_sreg_ctaid_x() \\
      : (d) == 1 ? __nvvm_read_ptx_sreg_ctaid_y() : __nvvm_read_ptx_sreg_ctaid_z())
    #define barrier(flags) __syncthreads()
    #define min(a, b) ((a) < (b) ? (a) : (b))
    #define max(a, b) ((a) > (b) ? (a) : (b))
    #define vstore4(value, offset, p) (((float4 *)(p))[offset] = (value))

    """

  private static func path(_ names: [String]) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return names.lazy.flatMap { name in folders.lazy.map { "\($0)/\(name)" } }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  /// - Returns: the exit status, and what was written to both streams.
  private static func run(_ program: String, _ arguments: [String]) throws -> (Int32, String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let text = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self))
  }

  private static let clang: String? = {
    for name in ["clang"] + (14...23).map({ "clang-\($0)" }) {
      if let clang = path([name]), let targets = try? run(clang, ["--print-targets"]),
        targets.1.contains("nvptx64")
      {
        return clang
      }
    }
    return nil
  }()

  struct Kernel: Sendable, CustomTestStringConvertible {
    let file: String
    let precision: Int
    let options: [String]
    var testDescription: String { "\(file) \(precision) \(options.prefix(5))" }
  }

  private static let geometry = [
    "PASS=0", "PARTS=1", "BATCH=8", "GROUPS=1", "IN_CHANNELS=64", "H=14", "W=14",
    "OUT_CHANNELS=64", "OH=14", "OW=14", "KH=3", "KW=3", "SH=1", "SW=1", "PH=1", "PW=1", "DH=1",
    "DW=1", "HAS_BIAS=0",
  ].map { "-D" + $0 }

  static let kernels = [1, 2].flatMap { precision in
    [
      Kernel(
        file: "matmul/tensor_gemm", precision: precision,
        options: ["-DLEFT_WIDTH=4", "-DRIGHT_WIDTH=4", "-DRIGHT_ALONG_TERMS=1", "-DBIAS=1"]),
      Kernel(
        file: "matmul/tensor_gemm", precision: precision,
        options: [
          "-DTILE_ROWS=128", "-DTILE_COLUMNS=128", "-DWARP_ROWS=64", "-DWARP_COLUMNS=32",
          "-DLEFT_ALONG_TERMS=0",
        ]),
      Kernel(
        file: "convolution/tensor_implicit_gemm", precision: precision,
        options: ["-DLEFT_WIDTH=4"] + geometry),
    ]
  }

  @Test(.enabled(if: clang != nil), arguments: kernels)
  func compilesToTheInstructionsOfThePrecision(_ kernel: Kernel) throws {
    let clang = try #require(Self.clang)
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (source, target) = (folder.path + "/kernel.cl", folder.path + "/kernel.ptx")
    try Data((Self.prelude + KernelSource.named(kernel.file).text).utf8).write(
      to: URL(fileURLWithPath: source))
    let (status, log) = try Self.run(
      clang,
      [
        "-x", "cl", "-cl-std=CL1.2", "-fgnu-keywords", "--target=nvptx64-nvidia-nvcl", "-O3",
        "-Xclang",
        "-target-cpu", "-Xclang", "sm_80", "-Xclang", "-target-feature", "-Xclang", "+ptx70",
        "-Xclang", "-finclude-default-header", "-Wall", "-Werror", "-Wno-unused-function",
        "-DEMULATED=0", "-DPRECISION=\(kernel.precision)", "-S", "-o", target, source,
      ] + kernel.options)
    try #require(status == 0, "\(log)")
    let ptx = try String(contentsOfFile: target, encoding: .utf8)
    let instructions = [
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", "cvt.rna.tf32.f32",
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "cvt.rn.bf16x2.f32",
    ]
    for (index, instruction) in instructions.enumerated() {
      #expect(ptx.contains(instruction) == (index / 2 == kernel.precision - 1), "\(instruction)")
    }
    #expect(
      ptx.contains("cp.async.cg.shared.global") == kernel.options.contains("-DLEFT_WIDTH=4"))
    for instruction in ["cp.async.commit_group", "cp.async.wait_group 1", "cp.async.wait_group 0"] {
      #expect(ptx.contains(instruction), "\(instruction)")
    }
    // The sums stay in registers.
    #expect(!ptx.contains("st.local") && !ptx.contains("ld.local"))
    if let ptxas = Self.path(["ptxas"]) {
      let (status, log) = try Self.run(
        ptxas, ["-arch=sm_80", "-o", folder.path + "/kernel.cubin", target])
      #expect(status == 0, "\(log)")
    }
  }
}
