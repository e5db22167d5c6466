import Foundation
import TernConformance
import TernTestSupport
import Testing

@testable import Tern

/// Networks in 16 bits: every operation's numbers, and what stays float32.
@Suite struct HalfPrecisionTests {
  /// OpenCL's kernels are compiled for each type, which takes a processor's driver minutes: a type on each
  /// architecture. `tern verify --precision` runs any.
  private static let devices: [(id: String, precision: Precision)] =
    [("reference", .bf16), ("reference", .fp16), ("cpu", .bf16), ("cpu", .fp16)]
    + zip(TestDevices.openCL, [.fp16, .bf16]).map { ($0, $1) }

  /// Opens a device, also in a precision that is slower on it than float32.
  private static func open(_ id: String, _ precision: Precision) throws -> any Device {
    try DeviceCatalog.standard.open(
      id, options: DeviceOptions(precision: precision, forcesPrecision: true))
  }

  @Test(arguments: devices.indices) func recordedCases(index: Int) throws {
    let (id, precision) = Self.devices[index]
    let runner = CaseRunner(device: try Self.open(id, precision))
    let directory = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Cases").path
    var counts: [String: Int] = [:]
    for path in try ConformanceCase.paths(inDirectory: directory) {
      let recorded = try ConformanceCase(contentsOf: path)
      counts[recorded.operation, default: 0] += 1
      // OpenCL would compile all of them for minutes: the first two of each operation.
      if id.hasPrefix("opencl"), counts[recorded.operation]! > 2 { continue }
      let result = runner.run(recorded)
      #expect(
        result.status == .passed,
        "\(id) \(precision) \(result.name): \(result.location ?? "") \(result.message ?? "")")
    }
  }

  @Test(arguments: devices.indices) func builtInCases(index: Int) throws {
    let (id, precision) = Self.devices[index]
    let runner = CaseRunner(device: try Self.open(id, precision))
    // The reference takes minutes for the largest, and OpenCL to compile them all: the first of each operation.
    let limit = id == "reference" ? 20_000 : Int.max
    var seen: Set<String> = []
    for testCase in try ConformanceTests.builtIn.get()
    where testCase.inputs.values.allSatisfy({ $0.shape.elementCount <= limit }) {
      let isFirst = seen.insert(testCase.operation).inserted
      if id.hasPrefix("opencl"), !isFirst { continue }
      let result = runner.run(testCase)
      #expect(
        result.status == .passed,
        "\(id) \(precision) \(result.name): \(result.location ?? "") \(result.message ?? "")")
    }
  }

  /// A device that cannot, says so; one that is slower so, says how to have it all the same.
  @Test func whatIsSlowerIsForced() {
    func error(_ id: String, _ precision: Precision) -> TernError? {
      #expect(throws: TernError.self) {
        try DeviceCatalog.standard.open(id, options: DeviceOptions(precision: precision))
      }
    }
    let slower = error("cpu", .fp16)
    #expect(slower?.kind == .usage && slower?.remedy == .forcePrecision)
    #expect(slower?.message.contains("no instructions for fp16") == true)
    #expect(error("cpu", .tf32)?.message.contains("computes in fp32 or bf16 or fp16") == true)
  }

  /// Where all is stored in 16 bits, an operation without kernels reads what is widened and is rounded.
  @Test func whatADeviceLacksIsStoredAllTheSame() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [200, 4])
    let w = try builder.variable("w", [4, 4])
    builder.output("y", try x.matmul(w).relu().sum())
    let graph = try builder.graph.autocast(to: .float16, storesAll: true) { _, _ in false }
    let read = graph.nodes.filter { !($0.operation is Operations.Cast) }
      .map { graph.types($0.inputs).map(\.dataType) }
    #expect(read.allSatisfy { $0.allSatisfy { $0 == .float32 } })
    let casts = graph.nodes.filter { $0.operation is Operations.Cast }
    #expect(
      casts.map { graph.type($0.outputs[0]).dataType }
        == [.float16, .float32, .float16, .float32, .float16, .float32, .float16, .float32])
  }

  /// The vectors' conversions against those by definition: every number of float16, and what lies between two.
  @Test func everyNumberOfFloat16() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", TensorType([1 << 16], .float16))
    let wide = try builder.input("wide", [3 << 16])
    builder.output("widened", try x.cast(to: .float32))
    builder.output("narrowed", try wide.cast(to: .float16))
    let bits = (0..<1 << 16).map { UInt16($0) }
    let numbers = bits.map(HalfPrecision.float)
    let between = numbers.flatMap { [$0, $0 * (1 + 0x1p-12), ($0 + $0.nextUp) * (1 + 0x1p-11)] }
    let executable = try Session(device: try Self.open("cpu", .fp32)).compile(builder.graph)
    let results = try executable.run([
      "x": HostTensor(TensorType([1 << 16], .float16)) {
        $0.copyBytes(from: bits.withUnsafeBytes(Array.init))
      },
      "wide": HostTensor([3 << 16], between),
    ])
    for (got, expected) in zip(results["widened"]!.floats, numbers) {
      #expect(got == expected || got.isNaN && expected.isNaN)
    }
    let expected = between.map(HalfPrecision.bits)
    let narrowed = results["narrowed"]!.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    #expect(narrowed == expected)
  }

  /// A convolution, its batch normalisation and relu are 16 bits wide; the loss, the gradients of parameters and
  /// what the host sees are not.
  @Test func aStepIsCastByTheTable() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [2, 3, 8, 8])
    let weight = try builder.variable("weight", [4, 3, 3, 3])
    let (mean, variance) = (
      try builder.variable("mean", [4]), try builder.variable("variance", [4])
    )
    let y = try x.conv2d(weight: weight, padding: [1, 1]).batchNormTraining(
      runningMean: mean, runningVariance: variance, weight: nil, bias: nil, momentum: 0.1,
      epsilon: 1e-5)
    let loss = try y.output.relu().square().mean()
    builder.output("loss", loss)
    let gradient = try builder.gradients(of: loss, withRespectTo: [weight])[0]!
    builder.output("gradient", gradient)
    let graph = try builder.graph.autocast(to: .bfloat16) { _, _ in true }
    func types(_ name: String) -> [DataType] {
      graph.nodes.filter { $0.operation.name == name }.flatMap {
        graph.types($0.outputs).map(\.dataType)
      }
    }
    #expect(types("conv2d") == [.bfloat16])
    #expect(types("batch_norm") == [.bfloat16, .float32, .float32])
    #expect(types("relu") == [.bfloat16])
    #expect(types("square") == [.float32])
    #expect(types("relu_backward") == [.bfloat16])
    #expect(types("batch_norm_backward") == [.bfloat16, .float32, .float32])
    #expect(types("conv2d_backward_weight") == [.float32])
    #expect(graph.outputs.allSatisfy { graph.type($0.id).dataType == .float32 })
    #expect(graph.variables.allSatisfy { graph.type($0).dataType == .float32 })
    // The picture and the weights are cast once, for forward and backward; the relu's result for the square and
    // once more for its gradient.
    let casts = graph.nodes.filter { $0.operation is Operations.Cast }
    #expect(casts.filter { graph.type($0.outputs[0]).dataType == .bfloat16 }.count == 3)
  }

  /// Where a device has no kernel for 16 bits, the operation is float32 and its neighbours are not.
  @Test func whatADeviceLacksStaysFloat32() throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [200, 4])
    let w = try builder.variable("w", [4, 4])
    builder.output("y", try x.matmul(w).relu().matmul(w))
    let graph = try builder.graph.autocast(to: .bfloat16) { operation, _ in
      operation is Operations.MatMul
    }
    let relu = try #require(graph.nodes.first { $0.operation.name == "relu" })
    #expect(graph.type(relu.inputs[0]).dataType == .float32)
    let products = graph.nodes.filter { $0.operation is Operations.MatMul }
    #expect(products.allSatisfy { graph.type($0.outputs[0]).dataType == .bfloat16 })
  }

  /// A product of a few rows is done when its parameter is read: a cast would read it, too.
  @Test(arguments: [(8, DataType.float32), (128, .bfloat16)])
  func parametersReadOnceAreNotCast(rows: Int, type: DataType) throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [rows, 16])
    let w = try builder.variable("w", [10, 16])
    builder.output("y", try x.linear(weight: w))
    let graph = try builder.graph.autocast(to: .bfloat16) { _, _ in true }
    let product = try #require(graph.nodes.first { $0.operation is Operations.Linear })
    #expect(graph.types(product.inputs).map(\.dataType) == [type, type])
  }

  /// What all rows add to a matrix of weights is rounded to 16 bits nowhere, on no device.
  @Test(arguments: devices.indices) func gradientsOfMatricesAreFloat32(index: Int) throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [256, 24])
    let w = try builder.variable("w", [16, 24])
    let loss = try x.linear(weight: w).sum()
    builder.output("gradient", try builder.gradients(of: loss, withRespectTo: [w])[0]!)
    let graph = try builder.graph.autocast(to: .bfloat16) { _, _ in true }
    let products = graph.nodes.filter { $0.operation is Operations.MatMul }
    #expect(products.map { graph.type($0.outputs[0]).dataType } == [.float32])
    // Ones times numbers that both types hold: the sum is exact, and no number of 16 bits.
    let (id, precision) = Self.devices[index]
    let executable = try Session(device: try Self.open(id, precision)).compile(builder.graph)
    let values = (0..<256 * 24).map { Float($0 / 24 % 2 == 0 ? 8 : 0.03125) }
    let gradient = try executable.run(["x": HostTensor([256, 24], values)])["gradient"]!
    #expect(gradient.floats.allSatisfy { $0 == 128 * 8.03125 })
  }

  /// A sum that a variable keeps from step to step is added to in float32, whatever comes in.
  @Test(arguments: [true, false]) func sumsOfStepsAreNotRounded(isKept: Bool) throws {
    let builder = GraphBuilder()
    let x = try builder.input("x", [200, 16])
    let (w, sum) = (try builder.variable("w", [16, 16]), try builder.variable("sum", [200, 16]))
    let total = try sum + x.matmul(w)
    if isKept { builder.assign(sum, total) } else { builder.output("total", total) }
    let graph = try builder.graph.autocast(to: .bfloat16) { _, _ in true }
    let product = try #require(graph.nodes.first { $0.operation is Operations.MatMul })
    #expect(graph.type(product.outputs[0]).dataType == .bfloat16)
    let addition = try #require(graph.nodes.first { $0.operation.name == "add" })
    #expect(graph.types(addition.inputs).map(\.dataType) == [.float32, .float32])
  }

  /// All numbers of 16 bits, and numbers between them with those halfway, by the functions that kernels read and
  /// write by: as on the host. How many elements a tensor has decides how a device takes them.
  @Test(arguments: [DataType.float16, .bfloat16], [65536, 65533]) func sixteenBitsAreExact(
    type: DataType, count: Int
  ) throws {
    let patterns = (0..<count).map { UInt16($0) }
    let numbers = HostTensor(TensorType([count], type)) { bytes in
      patterns.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }
    let floats = numbers.floats
    let between = floats.indices.map { index in
      let (a, b) = (floats[index], floats[(index + 1) % count])
      return index % 3 == 0 ? a / 2 + b / 2 : index % 3 == 1 ? a.nextUp : a.nextDown
    }
    for device in TestDevices.ids {
      let builder = GraphBuilder()
      let (x, y) = (
        try builder.input("x", numbers.type), try builder.input("y", TensorType([count]))
      )
      builder.output("wide", try x.cast(to: .float32))
      builder.output("narrow", try y.cast(to: type))
      let results = try Session(device: try TestDevices.open(device)).compile(builder.graph).run([
        "x": numbers, "y": HostTensor([count], between),
      ])
      func isSame(_ got: [Float], _ want: [Float]) -> Bool {
        zip(got, want).allSatisfy { $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN }
      }
      #expect(isSame(results["wide"]!.floats, floats), "\(device)")
      #expect(
        isSame(results["narrow"]!.floats, HostTensor([count], between).cast(to: type).floats),
        "\(device)")
    }
  }

  /// Each type of number becomes each other as on the host.
  @Test func castsAgreeWithTheReference() throws {
    let values: [Float] = [
      0, -0.0, 1, -1.5, 2.499, 255, 256.7, -3, 65504, 65520, 1e-8, 3.4e38, -1e10, .infinity, .nan,
      0.333_333_34,
    ]
    for device in TestDevices.ids {
      for type in DataType.allCases {
        let builder = GraphBuilder()
        let x = try builder.input("x", [values.count])
        builder.output("y", try x.cast(to: type))
        let executable = try Session(device: try TestDevices.open(device)).compile(builder.graph)
        let y = try executable.run(["x": HostTensor([values.count], values)])["y"]!
        let expected = HostTensor([values.count], values).cast(to: type)
        #expect(y.type == expected.type)
        for (got, want) in zip(y.floats, expected.floats) {
          #expect(got.bitPattern == want.bitPattern || got.isNaN && want.isNaN, "\(device) \(type)")
        }
      }
    }
  }
}
