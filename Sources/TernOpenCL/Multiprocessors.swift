import COpenCL

/// How many units a GPU has that run work-groups of their own, each with registers for one or two thousand
/// work-items: what work is cut by.
///
/// NVIDIA's drivers count them as compute units, and so do AMD's, of RDNA as pairs or one by one. Intel's
/// count the vector engines inside, of which 8 or 16 share registers for such a number and local memory.
package enum Multiprocessors {
  /// Of cl_intel_device_attribute_query.
  private static let attributeQuery = "cl_intel_device_attribute_query"
  private static let enginesOfSubslice: Int32 = 0x4254
  /// Of a subslice, from the ninth to the twelfth generation.
  private static let usualEngines = 8

  /// What follows from what a driver says of a GPU.
  ///
  /// - Parameters:
  ///   - units: the compute units that it counts.
  ///   - extensions: separated by spaces.
  ///   - engines: the vector engines of a subslice; asked for only where the extension for it is there.
  package static func count(
    units: Int, vendor: String, extensions: String, engines: () -> Int
  ) -> Int {
    guard vendor.contains("Intel") else { return units }
    let isKnown = extensions.split(separator: " ").contains { $0 == attributeQuery }
    let engines = isKnown ? engines() : 0
    return max(1, units / (engines > 0 ? engines : usualEngines))
  }

  /// Those of a device; of a processor its cores.
  static func count(_ device: CLDevice, units: Int) -> Int {
    guard device.isGPU else { return units }
    return count(
      units: units, vendor: device.string(CL_DEVICE_VENDOR),
      extensions: device.string(CL_DEVICE_EXTENSIONS)
    ) { Int(device.number(enginesOfSubslice, cl_uint.self)) }
  }
}
