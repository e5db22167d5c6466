import TernCPU
import TernOpenCL
import TernReference
import TernRuntime

extension DeviceCatalog {
  /// The backends of this build.
  public static let standard = DeviceCatalog([ReferenceBackend(), CPUBackend(), OpenCLBackend()])
}
