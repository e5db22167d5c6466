import Foundation
import Tern
import Testing

/// The networks are the published ones: sizes, work, and torchvision's parameter names.
@Suite struct ZooTests {
  /// Parameters, and multiply-adds per sample in millions where a figure was published.
  static let published: [(name: String, parameters: Int, multiplyAdds: Double?)] = [
    ("linear", 7_850, nil), ("polynomial", 23_530, nil), ("perceptron", 7_850, nil),
    ("mlp", 235_146, nil), ("lenet5", 61_706, nil), ("lenet5-1998", 60_000, nil),
    ("alexnet", 61_100_840, 714), ("vgg16", 138_357_544, 15_470),
    ("googlenet", 6_624_904, 1_498), ("googlenet_aux", 13_004_888, 1_498),
    ("resnet18", 11_689_512, 1_814), ("resnet20", 269_722, 40.6),
    ("resnet34", 21_797_672, 3_664), ("resnet50", 25_557_032, 4_089),
    ("densenet121", 7_978_856, 2_834), ("mobilenet_v2", 3_504_872, 301),
    ("squeezenet1_1", 1_235_496, 349), ("vit_b_16", 86_567_656, 17_564),
    ("unet", 31_030_658, nil),
    ("mcculloch-pitts", 0, nil), ("hebb", 7_840, nil), ("adaline", 7_850, nil),
    ("hopfield", 0, nil), ("hopfield-storkey", 0, nil), ("bam", 0, nil), ("boltzmann", 72, nil),
    ("dbm", 234_640, nil),
  ]

  @Test(arguments: published) func sizeAndWork(
    of entry: (name: String, parameters: Int, multiplyAdds: Double?)
  ) throws {
    let (_, context) = try ZooEntry.named(entry.name).model().inferenceGraph(batchSize: 1)
    let count = context.parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
    #expect(count == entry.parameters)
    #expect(context.summaries.reduce(0) { $0 + $1.parameterCount } == count)
    if let published = entry.multiplyAdds {
      let millions = Double(context.summaries.reduce(0) { $0 + $1.multiplyAdds }) / 1e6
      #expect(abs(millions - published) <= 0.005 * published)
    }
  }

  @Test func lenetHasThePapersParametersPerLayer() throws {
    let (_, context) = try ZooEntry.named("lenet5-1998").model().inferenceGraph(batchSize: 1)
    let counts = context.summaries.filter { $0.parameterCount > 0 }
    #expect(counts.map(\.name) == ["C1", "S2", "C3", "S4", "C5", "F6"])
    #expect(counts.map(\.parameterCount) == [156, 12, 1516, 32, 48120, 10164])
  }

  /// Names, shapes and order of torchvision's state dictionaries, recorded from version 0.29.
  @Test func parametersAreCalledAsInTorchvision() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("torchvision_parameters.txt").path
    let text = String(
      decoding: try #require(FileManager.default.contents(atPath: path)), as: UTF8.self)
    var recorded: [(model: String, tensors: Set<String>)] = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix("model ") {
        recorded.append((String(line.dropFirst(6)), []))
      } else {
        recorded[recorded.count - 1].tensors.insert(String(line))
      }
    }
    #expect(recorded.count == 9)
    for (name, tensors) in recorded {
      let (_, context) = try ZooEntry.named(name).model().inferenceGraph(batchSize: 1)
      let own = Set(context.parameters.map { "\($0.name) \($0.shape)" })
      #expect(own.symmetricDifference(tensors).sorted() == [], "\(name)")
    }
  }

  @Test(arguments: ["unet", "hourglass"]) func scoresPerPixel(name: String) throws {
    let model = try ZooEntry.named(name).model(inputShape: [3, 64, 128], classCount: 5)
    let graph = try model.inferenceGraph(batchSize: 2).graph
    #expect(graph.type(graph.output(named: "logits")!).shape == [2, 5, 64, 128])
  }

  @Test(arguments: ["resnet20", "lenet5-1998", "perceptron", "polynomial"])
  func smallNetworksTakeFashionMNIST(name: String) throws {
    let model = try ZooEntry.named(name).model(inputShape: [1, 28, 28], classCount: 10)
    let graph = try model.inferenceGraph(batchSize: 2).graph
    #expect(graph.type(graph.output(named: "logits")!).shape == [2, 10])
  }

  @Test func receptiveFields() throws {
    func field(_ model: String, _ layer: String) throws -> Int? {
      let (_, context) = try ZooEntry.named(model).model().inferenceGraph(batchSize: 1)
      return try #require(context.summaries.first { $0.name == layer }).receptiveField
    }
    #expect(try field("vgg16", "features.30") == 212)
    #expect(try field("alexnet", "features.12") == 195)
    #expect(try field("resnet50", "layer4.2.relu") == 427)
    #expect(try field("resnet18", "layer4.1.relu") == 435)
    #expect(try field("resnet18", "avgpool") == nil)
    // A transposed convolution with stride 2 halves the distance between its neighbours.
    #expect(try field("unet", "classifier") == 200)
  }

  @Test func inputsThatAreTooSmallNameTheLayer() throws {
    let model = try ZooEntry.named("alexnet").model(inputShape: [1, 28, 28])
    let error = #expect(throws: TernError.self) { try model.inferenceGraph(batchSize: 1) }
    #expect(error?.kind == .badData)
    #expect(
      error?.message.hasPrefix("model alexnet on inputs [1, 28, 28]: layer features.5: max_pool2d")
        == true)
  }
}
