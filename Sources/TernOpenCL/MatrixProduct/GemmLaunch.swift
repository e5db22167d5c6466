import CCLBlast
import COpenCL
import Synchronization
import TernCore

/// A matrix product by CLBlast, row-major: C ← A·B + βC, operands optionally transposed.
final class GemmLaunch: Launch {
  /// An operand as it is stored: where, and the length of its rows.
  struct Operand {
    let view: View
    let isTransposed: Bool
    let rowLength: Int
  }

  private let a: Operand
  private let b: Operand
  private let c: View
  private let size: (batch: Int, m: Int, n: Int, k: Int)
  private let sharesA: Bool
  private let beta: Float
  private let scratch: OpenCLBuffer

  /// CLBlast fills its caches at the first call of a kind, which is not thread-safe.
  private static let firstUse = Mutex(())

  /// - Parameters:
  ///   - size: m × k by k × n, `batch` of them one after the other.
  ///   - sharesA: whether all of the batch share one left matrix.
  init(
    _ a: Operand, _ b: Operand, into c: View, size: (batch: Int, m: Int, n: Int, k: Int),
    sharesA: Bool = false, beta: Float = 0, device: OpenCLDevice
  ) throws {
    self.a = a
    self.b = b
    self.c = c
    self.size = size
    self.sharesA = sharesA
    self.beta = beta
    var queue: cl_command_queue? = device.computeQueue.handle
    var byteCount = 0
    try Self.check(
      CLBlastSGemmTempBufferSize(
        CLBlastLayoutRowMajor, Self.transpose(a), Self.transpose(b), size.m, size.n, size.k,
        a.view.offset, a.rowLength, b.view.offset, b.rowLength, c.offset, size.n, &queue,
        &byteCount), "CLBlastSGemmTempBufferSize")
    scratch = try device.gemmScratch(byteCount: byteCount)
    // Compiles now what the first step would wait for.
    try Self.firstUse.withLock { _ in try enqueue(device.computeQueue.handle) }
  }

  func enqueue(_ queue: cl_command_queue) throws {
    var queue: cl_command_queue? = queue
    if size.batch == 1 {
      try Self.check(
        CLBlastSgemmWithTempBuffer(
          CLBlastLayoutRowMajor, Self.transpose(a), Self.transpose(b), size.m, size.n, size.k, 1,
          a.view.memory, a.view.offset, a.rowLength, b.view.memory, b.view.offset, b.rowLength,
          beta, c.memory, c.offset, size.n, &queue, nil, scratch.handle), "CLBlastSgemm")
    } else {
      try Self.check(
        CLBlastSgemmStridedBatched(
          CLBlastLayoutRowMajor, Self.transpose(a), Self.transpose(b), size.m, size.n, size.k, 1,
          a.view.memory, a.view.offset, a.rowLength, sharesA ? 0 : size.m * size.k, b.view.memory,
          b.view.offset,
          b.rowLength, size.k * size.n, beta, c.memory, c.offset, size.n, size.m * size.n,
          size.batch, &queue, nil), "CLBlastSgemmStridedBatched")
    }
  }

  private static func transpose(_ operand: Operand) -> CLBlastTranspose {
    operand.isTransposed ? CLBlastTransposeYes : CLBlastTransposeNo
  }

  private static func check(_ status: CLBlastStatusCode, _ call: String) throws {
    guard status != CLBlastSuccess else { return }
    let error = CLError(call: call, code: Int32(status.rawValue))
    // OpenCL's words for groups that are too large, and CLBlast's for those and for local memory.
    let isTooLarge =
      [-54, -55].contains(error.code)
      || [
        CLBlastInvalidLocalThreadsTotal, CLBlastInvalidLocalThreadsDim, CLBlastInvalidLocalMemUsage,
      ].contains(status)
    throw isTooLarge ? DoesNotFit(message: error.description, isLibrary: true) : error.asTernError
  }
}

extension StepEncoder {
  /// Appends a matrix product by CLBlast; see ``GemmLaunch``.
  func library(
    _ a: GemmLaunch.Operand, _ b: GemmLaunch.Operand, into c: View,
    size: (batch: Int, m: Int, n: Int, k: Int), sharesA: Bool = false, beta: Float = 0
  ) {
    append("clblast \(size.batch)x\(size.m)x\(size.n)x\(size.k)") { [device] in
      try GemmLaunch(a, b, into: c, size: size, sharesA: sharesA, beta: beta, device: device)
    }
  }
}
