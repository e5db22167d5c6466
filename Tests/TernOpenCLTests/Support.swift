import Foundation
import TernCore
import TernGraph
import TernOpenCL
import TernReference
import TernRuntime
import TernTestSupport
import Testing

/// The first OpenCL device there is. Tests of this target are skipped where there is none.
let openCLDevice = OpenCLBackend().devices().first

/// Opens the device with nothing kept from earlier runs, unless a folder is given.
func open(
  _ options: DeviceOptions = DeviceOptions(), _ traits: String..., cache: CacheDirectory? = nil
) throws -> OpenCLDevice { try open(options, traits, cache: cache) }

/// The same with traits in a list.
func open(
  _ options: DeviceOptions, _ traits: [String], cache: CacheDirectory? = nil
) throws -> OpenCLDevice {
  try OpenCLBackend().open(
    #require(openCLDevice), options: options, traits: DeviceTraits(traits), cache: cache)
}

/// Calls `body` with an empty folder, which is gone afterwards.
func withTemporaryCache(_ body: (CacheDirectory) throws -> Void) throws {
  let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: url) }
  try body(CacheDirectory(path: url.path))
}

/// A convolution with its three passes, and the values to run it on.
struct ConvolutionExperiment {
  let graph: Graph
  let inputs: [String: HostTensor]

  init(
    _ input: Shape, weight: Shape, stride: [Int] = [1, 1], padding: [Int] = [0, 0],
    dilation: [Int] = [1, 1], groups: Int = 1, hasBias: Bool = true,
    rounding: (Float) -> Float = { $0 }
  ) throws {
    let builder = GraphBuilder()
    var values: [String: HostTensor] = [:]
    func add(_ name: String, _ shape: Shape) throws -> Tensor {
      let generator = Philox(seed: 1, stream: .data)
      values[name] = HostTensor(
        shape, generator.normals(shape.elementCount, UInt32(values.count)).map(rounding))
      return try builder.input(name, shape)
    }
    let x = try add("x", input)
    let w = try add("w", weight)
    let b = hasBias ? try add("b", [weight[0]]) : nil
    let y = try x.conv2d(
      weight: w, bias: b, stride: stride, padding: .symmetric(padding), dilation: dilation,
      groups: groups)
    builder.output("y", y)
    let targets = [("x", x), ("w", w)] + (b.map { [("b", $0)] } ?? [])
    let gradients = try builder.gradients(
      of: [(y, add("dy", y.shape))], withRespectTo: targets.map(\.1))
    for ((name, _), gradient) in zip(targets, gradients) {
      builder.output("d" + name, try #require(gradient))
    }
    graph = builder.graph
    inputs = values
  }

  func run(on device: any Device) throws -> [String: HostTensor] {
    try Session(device: device).compile(graph).run(inputs)
  }

  /// What runs the convolution's passes.
  func implementations(on device: any Device) throws -> [String] {
    try Session(device: device).compile(graph).bound.implementations
  }

  /// The largest difference from the reference, relative to each value's largest element.
  func error(on device: any Device) throws -> Float {
    let expected = try run(on: ReferenceDevice())
    let got = try run(on: device)
    return try expected.map { try difference(#require(got[$0]), $1) }.max() ?? 0
  }
}
