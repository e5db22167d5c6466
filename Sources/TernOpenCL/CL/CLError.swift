import COpenCL
import TernCore

/// A call of OpenCL or CLBlast that failed.
package struct CLError: Error, CustomStringConvertible {
  let call: String
  let code: Int32

  package init(call: String, code: Int32) {
    (self.call, self.code) = (call, code)
  }

  private static let names: [Int32: String] = [
    -1: "device not found", -2: "device not available", -3: "compiler not available",
    -4: "memory object allocation failure", -5: "out of resources", -6: "out of host memory",
    -11: "program build failure", -30: "invalid value", -33: "invalid device",
    -34: "invalid context",
    -36: "invalid command queue", -38: "invalid memory object", -45: "invalid program executable",
    -46: "invalid kernel name", -48: "invalid kernel", -49: "invalid argument index",
    -51: "invalid argument size", -52: "invalid kernel arguments", -53: "invalid work dimension",
    -54: "invalid work-group size", -55: "invalid work-item size", -59: "invalid operation",
    -61: "invalid buffer size", -63: "invalid global work size", -1001: "no platform found",
  ]

  package var description: String { "\(call) failed: \(Self.names[code] ?? "error") (\(code))" }

  /// The error as a user sees it.
  package var asTernError: TernError {
    if code == -5 {
      // NVIDIA's driver says so of whatever ended a kernel.
      return TernError(
        .runtime,
        "\(description): the device is out of memory or registers (a smaller batch may fit), or the "
          + "driver ended a kernel that read outside its memory or held the display for too long, or "
          + "the device was lost")
    }
    if [-4, -6, -61].contains(code) {
      return TernError(
        .runtime, "\(description); the device may be out of memory, try a smaller batch size")
    }
    return TernError(.runtime, description)
  }
}

/// Throws where a call's code says so.
func check(_ code: Int32, _ call: String) throws {
  guard code != CL_SUCCESS else { return }
  SharedContext.forgetAll()
  throw CLError(call: call, code: code).asTernError
}

/// The handle a creating call returned, unless it failed.
func created<Handle>(_ call: String, _ body: (inout Int32) -> Handle?) throws -> Handle {
  var code: Int32 = 0
  let handle = body(&code)
  try check(code, call)
  guard let handle else { throw CLError(call: call, code: -30).asTernError }
  return handle
}
