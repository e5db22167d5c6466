import COneDNN
import TernCore

/// Turns a failure of oneDNN into an error that names the call.
func check(_ call: String, _ status: dnnl_status_t) throws {
  guard status != dnnl_success else { return }
  let reason =
    switch status {
    case dnnl_out_of_memory: "out of memory"
    case dnnl_invalid_arguments: "invalid arguments"
    case dnnl_unimplemented: "unimplemented"
    case dnnl_iterator_ends: "no implementation left"
    case dnnl_runtime_error: "runtime error"
    case dnnl_not_required: "not required"
    default: "status \(status.rawValue)"
    }
  throw TernError(.runtime, "oneDNN: \(call): \(reason)")
}

/// oneDNN's CPU engine and the stream on which its primitives run.
final class Engine: @unchecked Sendable {
  let handle: dnnl_engine_t
  let stream: dnnl_stream_t

  init() throws {
    var engine: dnnl_engine_t?
    try check("dnnl_engine_create", dnnl_engine_create(&engine, dnnl_cpu, 0))
    var stream: dnnl_stream_t?
    do {
      try check(
        "dnnl_stream_create",
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue))
    } catch {
      dnnl_engine_destroy(engine)
      throw error
    }
    handle = engine!
    self.stream = stream!
  }

  deinit {
    dnnl_stream_destroy(stream)
    dnnl_engine_destroy(handle)
  }

  /// The version of the library, such as `oneDNN 2.6.3`.
  static var version: String {
    let version = dnnl_version().pointee
    return "oneDNN \(version.major).\(version.minor).\(version.patch)"
  }
}
