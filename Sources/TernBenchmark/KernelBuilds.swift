import Tern
import TernOpenCL

/// The kernels that an OpenCL device has built, for meters that compile them for devices not at hand.
package struct KernelBuilds: Sendable {
  package let json: JSON

  /// `nil` where the device has none.
  package init?(_ device: any Device) {
    guard let device = device as? OpenCLDevice else { return nil }
    json = .array(
      device.builds.map { build in
        .object([
          "file": .string(build.file), "kernel": .string(build.kernel),
          "source": KernelSource.generatedText(build.file).map(JSON.string) ?? .null,
          "options": .string(build.commandLine),
        ])
      })
  }
}
