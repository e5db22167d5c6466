import Foundation
import Tern
import TernTestSupport
import Testing

/// Steps that have no room for all values: what is computed again is the same.
@Suite struct RecomputationTests {
  private static func data(_ shape: Shape, count: Int, classes: Int) throws -> TrainingData {
    let values = Philox(seed: 3, stream: .data).normals(count * shape.elementCount)
    return try TrainingData(
      ValueDataset(
        values: values, labels: (0..<count).map { Int32($0 % classes) }, sampleShape: shape,
        classNames: (0..<classes).map(String.init)))
  }

  private func trained(
    _ name: String, _ shape: Shape, batchSize: Int = 4, on device: String, memoryLimit: Int?
  ) throws -> (weights: [String: HostTensor], plan: Plan) {
    let model = try ZooEntry.named(name).model(inputShape: shape, classCount: 4)
    var options = TrainingLoop.Options(batchSize: batchSize, epochs: 1)
    options.memoryLimit = memoryLimit
    let loop = try TrainingLoop(
      model, data: Self.data(shape, count: batchSize * 5 / 2, classes: 4),
      on: TestDevices.open(device), options: options)
    try loop.trainEpoch()
    return (try loop.weights(), loop.trainingPlan)
  }

  // Of batches so large that activations take more than gradients of weights do.
  @Test(
    arguments: TestDevices.fast,
    [
      ("resnet20", Shape([1, 16, 16]), 4), ("transformer-encoder", Shape([1, 14, 14]), 64),
    ])
  func theSameBitsInLessMemory(
    device: String, network: (name: String, shape: Shape, batchSize: Int)
  ) throws {
    func trained(memoryLimit: Int?) throws -> (weights: [String: HostTensor], plan: Plan) {
      try self.trained(
        network.name, network.shape, batchSize: network.batchSize, on: device,
        memoryLimit: memoryLimit)
    }
    let whole = try trained(memoryLimit: nil)
    #expect(whole.plan.recomputation == nil)
    let fixed = whole.plan.peakByteCount - whole.plan.arenaByteCount
    let limit = fixed + whole.plan.arenaByteCount * 3 / 4
    let less = try trained(memoryLimit: limit)
    let recomputation = try #require(less.plan.recomputation)
    #expect(recomputation.nodeCount > 0 && recomputation.addedWork > 0)
    #expect(recomputation.arenaByteCountBefore == whole.plan.arenaByteCount)
    #expect(less.plan.peakByteCount <= limit)
    #expect(less.weights == whole.weights)
  }

  @Test func tooLittleIsSaid() throws {
    for limit in [1 << 10, 600 << 10] {
      let error = #expect(throws: TernError.self) {
        try trained("resnet20", [1, 16, 16], on: "cpu", memoryLimit: limit)
      }
      #expect(error?.kind == .outOfMemory && error?.message.contains("are given") == true)
    }
  }

  @Test func sizesAreRead() {
    for (text, size) in [
      ("2GiB", 2 << 30), ("1.5 KiB", 1536), ("10MB", 10_000_000), ("4096", 4096), ("7b", 7),
    ] { #expect(ByteCount.parse(text) == size, "\(text)") }
    for text in ["", "GiB", "-1GiB", "0", "1e9", "2 gigs", "nan", "9999999TiB", "1..5MB"] {
      #expect(ByteCount.parse(text) == nil, "\(text)")
    }
  }
}
