import Tern
import TernConformance
import TernReference
import TernTestSupport
import Testing

/// Networks that nobody thought of.
@Suite struct RandomNetworkTests {
  /// Together 500 networks. Each has chains that OpenCL compiles a kernel for: those devices see fewer.
  @Test(
    arguments: [("cpu", 0..<110), ("cpu", 110..<220), ("cpu", 220..<330), ("cpu", 330..<440)]
      + TestDevices.fast.filter { $0 != "cpu" }.map { ($0, 440..<470) } as [(String, Range<UInt64>)]
  )
  func devicesComputeThem(device: String, seeds: Range<UInt64>) throws {
    let check = RandomNetworkCheck(device: try TestDevices.open(device))
    for seed in seeds {
      let fault = check.fault(seed: seed)
      #expect(fault == nil, "\(fault?.description ?? "")")
    }
  }

  /// Most steps fit, all kinds of them occur, values are read twice and parameters shared.
  @Test func theyAreOfEveryKind() throws {
    var operations: [String: Int] = [:]
    var (manyReaders, sharedParameters) = (0, 0)
    for seed in 0..<200 as Range<UInt64> {
      let network = RandomNetwork(seed: seed)
      let built = try network.built()
      #expect(try RandomNetwork(seed: seed).built().graph.description == built.graph.description)
      let forward = built.graph.nodes.filter { !$0.scope.hasPrefix("backward") }
      for name in Set(forward.map(\.operation.name)) { operations[name, default: 0] += 1 }
      var readers: [ValueID: Int] = [:]
      for node in forward { for id in Set(node.inputs) { readers[id, default: 0] += 1 } }
      if readers.contains(where: { built.graph.inputs.contains($0.key) ? false : $0.value > 1 }) {
        manyReaders += 1
      }
      let shared = readers.contains { id, count in
        built.parameters.contains(built.graph[id].name) && count > 1
      }
      if shared { sharedParameters += 1 }
    }
    for name in [
      "conv2d", "linear", "batch_norm", "max_pool2d", "softmax", "cat", "narrow", "dropout",
    ] {
      #expect(operations[name, default: 0] >= 5, "\(name): \(operations)")
    }
    #expect(manyReaders >= 60 && sharedParameters >= 10, "\(manyReaders) \(sharedParameters)")
  }

  /// A device that computes one operation wrongly is found out, by a network of that operation alone.
  @Test func aWrongDeviceIsFoundOut() throws {
    let check = RandomNetworkCheck(device: FaultyDevice())
    let fault = try #require(
      (0..<60 as Range<UInt64>).lazy.compactMap { check.fault(seed: $0) }.first)
    #expect(fault.network.steps.count <= 2, "\(fault)")
  }
}

/// The reference, but for its relu, which lets everything pass.
private final class FaultyDevice: Device {
  private let base = ReferenceDevice()
  var info: DeviceInfo { base.info }
  var maximumAllocationByteCount: Int { base.maximumAllocationByteCount }
  var allocationCount: Int { base.allocationCount }

  func supports(_ operation: any TernGraph.Operation, inputs: [TensorType]) -> Bool {
    base.supports(operation, inputs: inputs)
  }

  func assignLayouts(_ graph: Graph, variableLayouts: [String: Layout]) throws -> Graph {
    var graph = graph
    for index in graph.nodes.indices
    where graph.nodes[index].operation as? Operations.Unary == Operations.Unary(.relu) {
      graph.nodes[index].operation = Operations.Unary(.affine(scale: 1, shift: 0))
    }
    return graph
  }

  func allocate(byteCount: Int) throws -> any DeviceBuffer {
    try base.allocate(byteCount: byteCount)
  }
  func write(_ tensor: HostTensor, to buffer: any DeviceBuffer, layout: Layout) throws {
    base.write(tensor, to: buffer, layout: layout)
  }
  func read(
    _ type: TensorType, from buffer: any DeviceBuffer, offset: Int, layout: Layout
  ) throws -> HostTensor {
    base.read(type, from: buffer, offset: offset, layout: layout)
  }
  func bind(_ plan: Plan, to memory: PlanMemory) throws -> any BoundPlan {
    try base.bind(plan, to: memory)
  }
}
