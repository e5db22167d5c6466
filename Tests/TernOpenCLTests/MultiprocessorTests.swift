import TernOpenCL
import Testing

@Suite struct MultiprocessorTests {
  private let query = "cl_khr_icd cl_intel_device_attribute_query"

  private func unasked() -> Int {
    Issue.record("asked")
    return 1
  }

  @Test func otherMakersUnitsAreWhatWorkIsCutBy() {
    for vendor in ["NVIDIA Corporation", "Advanced Micro Devices, Inc."] {
      #expect(
        Multiprocessors.count(units: 48, vendor: vendor, extensions: query, engines: unasked) == 48)
    }
  }

  @Test func intelCountsEnginesOfWhichSomeShareRegisters() {
    let vendor = "Intel(R) Corporation"
    #expect(
      Multiprocessors.count(units: 512, vendor: vendor, extensions: query) { 16 } == 32)
    #expect(Multiprocessors.count(units: 96, vendor: vendor, extensions: query) { 0 } == 12)
    #expect(
      Multiprocessors.count(
        units: 24, vendor: vendor, extensions: "cl_intel_device_attribute_query_2", engines: unasked
      )
        == 3)
    #expect(Multiprocessors.count(units: 4, vendor: vendor, extensions: "", engines: unasked) == 1)
  }
}
