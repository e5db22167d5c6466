import TernCore
import TernOpenCL
import TernRuntime
import Testing

@Suite(.enabled(if: openCLDevice != nil)) struct ConvolutionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let algorithm: ConvolutionAlgorithm
    let input: Shape
    let weight: Shape
    var stride = [1, 1]
    var padding = [0, 0]
    var dilation = [1, 1]
    var groups = 1
    /// How many of the three passes the algorithm computes.
    var passes = 3
    var tolerance: Float = 2e-5
    var testDescription: String { "\(algorithm.rawValue) \(input) by \(weight)" }
  }

  static let cases = [
    Case(
      algorithm: .direct, input: [2, 3, 9, 15], weight: [8, 3, 3, 3], stride: [2, 3],
      padding: [1, 2]),
    Case(
      algorithm: .direct, input: [2, 4, 8, 9], weight: [6, 2, 3, 2], dilation: [2, 1], groups: 2),
    // Of few channels, with large windows, in many columns, and with more padding than taps reach.
    Case(
      algorithm: .direct, input: [3, 1, 12, 10], weight: [6, 1, 5, 5], padding: [2, 2]),
    Case(algorithm: .direct, input: [8, 1, 40, 40], weight: [2, 1, 5, 5], padding: [2, 2]),
    Case(
      algorithm: .direct, input: [1, 3, 31, 29], weight: [5, 3, 11, 11], stride: [4, 4],
      padding: [2, 2]),
    Case(algorithm: .direct, input: [2, 2, 5, 4], weight: [7, 2, 2, 1], padding: [3, 2]),
    Case(
      algorithm: .winograd, input: [2, 5, 9, 13], weight: [7, 5, 3, 3], padding: [1, 1],
      tolerance: 1e-4),
    // Tiles of 4 × 4, more than one chunk of samples, and blocks that are not full.
    Case(
      algorithm: .winograd, input: [9, 40, 15, 14], weight: [35, 40, 3, 3], padding: [1, 0],
      tolerance: 1e-4),
    Case(
      algorithm: .winograd, input: [1, 3, 6, 6], weight: [4, 3, 3, 3], padding: [2, 2],
      tolerance: 1e-4),
    Case(algorithm: .gemm, input: [3, 20, 5, 7], weight: [33, 20, 1, 1], passes: 2),
    Case(
      algorithm: .gemm, input: [3, 20, 8, 7], weight: [17, 20, 1, 1], stride: [2, 2], passes: 2),
    Case(
      algorithm: .implicitGEMM, input: [3, 6, 9, 11], weight: [20, 6, 3, 2], stride: [2, 1],
      padding: [1, 1]),
    Case(
      algorithm: .implicitGEMM, input: [2, 8, 7, 7], weight: [12, 4, 3, 3], padding: [2, 0],
      dilation: [2, 1], groups: 2),
    Case(
      algorithm: .im2col, input: [3, 4, 7, 9], weight: [6, 2, 3, 2], stride: [2, 1],
      padding: [1, 1], groups: 2),
    Case(
      algorithm: .depthwise, input: [2, 6, 19, 21], weight: [6, 1, 3, 3], padding: [1, 1],
      groups: 6),
    Case(
      algorithm: .depthwise, input: [2, 3, 11, 9], weight: [6, 1, 5, 3], stride: [2, 3],
      padding: [2, 1], groups: 3),
  ]

  @Test(arguments: cases, ["wide-cores", "many-threads"])
  func agreesWithTheReference(_ testCase: Case, architecture: String) throws {
    let device = try open(DeviceOptions(algorithm: testCase.algorithm), architecture)
    let experiment = try ConvolutionExperiment(
      testCase.input, weight: testCase.weight, stride: testCase.stride,
      padding: testCase.padding, dilation: testCase.dilation, groups: testCase.groups)
    #expect(try experiment.error(on: device) <= testCase.tolerance)
    let passes = try experiment.implementations(on: device).filter {
      $0.hasPrefix(testCase.algorithm.rawValue)
    }
    #expect(passes.count == testCase.passes)
  }

  @Test func repeatsBitForBit() throws {
    for algorithm in ConvolutionAlgorithm.allCases {
      let device = try open(DeviceOptions(algorithm: algorithm))
      let experiment = try ConvolutionExperiment(
        [4, 6, 12, 12], weight: [6, 1, 3, 3], padding: [1, 1], groups: 6)
      #expect(try experiment.run(on: device) == experiment.run(on: device), "\(algorithm)")
    }
  }

  @Test func anAlgorithmThatCannotGivesWayToAnother() throws {
    let device = try open(DeviceOptions(algorithm: .winograd))
    let experiment = try ConvolutionExperiment([1, 2, 8, 8], weight: [3, 2, 5, 5])
    #expect(try experiment.error(on: device) <= 2e-5)
    #expect(try !experiment.implementations(on: device).contains { $0.hasPrefix("winograd") })
  }
}
