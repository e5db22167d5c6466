/// What `--device` asks for: a backend's name or a device's id, whose trailing numbers may be left out,
/// and the device's traits behind slashes: `opencl`, `opencl:0`, `opencl:0.0/many-threads`.
struct DeviceRequest {
  let device: String
  let traits: [String]

  init(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    device = parts[0]
    traits = Array(parts.dropFirst())
  }

  /// The name of the backend.
  var backend: String { String(device.prefix { $0 != ":" }) }

  /// Whether an id, without traits, is what the request means.
  func covers(_ id: String) -> Bool {
    id == device || id.hasPrefix(device + ":") || id.hasPrefix(device + ".")
  }
}

extension DeviceInfo {
  /// Whether a request for a device, such as `opencl/many-threads`, may have ended with that id.
  package static func isID(_ id: String, of request: String) -> Bool {
    let (id, request) = (DeviceRequest(id), DeviceRequest(request))
    return request.covers(id.device) && request.traits == id.traits
  }
}
