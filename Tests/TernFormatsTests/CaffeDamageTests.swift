import Foundation
import Tern
import TernCore
import TernData
import TernTestSupport
import Testing

@testable import TernFormats

/// Damaged files of Caffe's, and its weights.
@Suite struct CaffeDamageTests {
  private func fault(_ text: String, _ shape: Shape = [1, 8, 8]) -> String {
    do {
      _ = try CaffeFixture.model(text, shape)
      return "read"
    } catch let error as TernError {
      #expect(error.kind == .badData)
      #expect(!error.message.contains("\n"))
      return String(error.message.drop { $0 != ":" })
    } catch { return "\(error)" }
  }

  @Test func whatIsWrongHasItsLine() throws {
    #expect(fault("name: 'a'\nlayer {\n  name: 'b'\n  type:\n}").hasPrefix(":5: "))
    #expect(fault("name: 'a'\n\nlayers: 3").hasPrefix(":3: layers: expected a message"))
    #expect(fault("nam: 'a'").hasSuffix("no field 'nam'; did you mean 'name'?"))
    #expect(fault("layer { name: 'x'").contains(":1: the file ends inside a message"))
    let wrong = CaffeFixture.net(
      [1, 8, 8], "layer { name: 'x' type: 'Convolutio' bottom: 'data' top: 'x' }")
    #expect(
      fault(wrong)
        == ":3: layer 'x' (Convolutio): the type is not known; did you mean 'Convolution'?")
    #expect(
      fault(CaffeFixture.net([1, 8, 8], "layer { name: 'x' type: 'ReLU' bottom: 'y' top: 'x' }"))
        .contains("bottom 'y' is the top of no layer before it"))
    #expect(
      fault(
        CaffeFixture.net(
          [1, 8, 8],
          "layer { name: 'x' type: 'Pooling' bottom: 'data' top: 'x' pooling_param { kernel_size: 9 } }"
        )
      ).contains(":3: layer 'x' (Pooling): "))
    #expect(
      fault(
        CaffeFixture.net(
          [1, 8, 8],
          "layer { name: 'x' type: 'InfogainLoss' bottom: 'data' bottom: 'label' top: 'x' }")
      ).contains("a loss that is not trained here"))
    #expect(fault(String(repeating: "layer { ", count: 2000)).contains("messages inside messages"))
    #expect(throws: TernError.self) { try CaffeFixture.solver("lr_policy: 'sometimes'") }
    #expect(throws: TernError.self) { try CaffeFixture.solver("base_rl: 3") }
  }

  /// Cut at every length, and with bits flipped in every byte: a network, or one line.
  @Test func damagedFilesAreOneLine() throws {
    let net = [UInt8](
      CaffeFixture.net(
        [1, 4, 4],
        "layer { name: 'f' type: 'InnerProduct' bottom: 'data' top: 'f' param { lr_mult: 2 }\n"
          + "inner_product_param { num_output: 2 weight_filler { type: 'xavier' } } }"
      ).utf8)
    let solver = [UInt8](
      "net: 'n.prototxt' base_lr: 0.1 lr_policy: 'step' gamma: 0.5\nstepsize: 3 max_iter: 9".utf8)
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.file("damaged.prototxt")
    let masks: [UInt8] = [0x01, 0x10, 0x80, 0xFF]
    let ofNet = try DamagedFile.faults(of: net, at: path, masks: masks) {
      _ = try CaffeNetwork.model(contentsOf: path, inputShape: [1, 4, 4])
    }
    let ofSolver = try DamagedFile.faults(of: solver, at: path, masks: masks) {
      _ = try CaffeSolver(contentsOf: path)
    }
    #expect(ofNet == [] && ofSolver == [])
  }

  /// A layer of a file of weights; of old, types are numbers and shapes have four extents.
  private func layer(
    _ name: String, _ type: String, _ blobs: [([Int], [Float])], isOld: Bool = false,
    bottom: String? = nil, top: String? = nil, shared: [String] = []
  ) -> Data {
    var layer = WireWriter()
    layer.string(isOld ? 4 : 1, name)
    if !isOld { layer.string(2, type) }
    if let bottom { layer.string(isOld ? 2 : 3, bottom) }
    if let top { layer.string(isOld ? 3 : 4, top) }
    for name in shared {
      if isOld { layer.string(1001, name) } else { layer.message(6) { $0.string(1, name) } }
    }
    for (shape, values) in blobs {
      layer.message(isOld ? 6 : 7) { blob in
        if isOld {
          for (index, extent) in shape.enumerated() { blob.int(index + 1, extent) }
        } else {
          blob.message(7) { $0.ints(1, shape) }
        }
        blob.floats(5, values)
      }
    }
    var file = WireWriter()
    file.bytes(isOld ? 2 : 100, layer.data)
    return file.data
  }

  @Test func weightsAreRead() throws {
    var data = layer("conv", "Convolution", [([2, 1, 1, 1], [1, 2]), ([2], [3, 4])])
    data += layer("bn", "BatchNorm", [([2], [2, 4]), ([2], [6, 8]), ([1], [2])])
    data += layer(
      "fc", "", [([1, 1, 2, 3], [1, 2, 3, 4, 5, 6]), ([1, 1, 1, 2], [7, 8])], isOld: true)
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.file("net.caffemodel")
    try data.write(to: URL(fileURLWithPath: path))
    let file = try WeightsFile(path).file
    #expect(
      file.tensors == [
        "conv.weight": HostTensor([2, 1, 1, 1], [1, 2] as [Float]),
        "conv.bias": HostTensor([2], [3, 4] as [Float]),
        "bn.running_mean": HostTensor([2], [1, 2] as [Float]),
        "bn.running_var": HostTensor([2], [3, 4] as [Float]),
        "fc.weight": HostTensor([2, 3], [1, 2, 3, 4, 5, 6] as [Float]),
        "fc.bias": HostTensor([2], [7, 8] as [Float]),
      ])
    let faults = try DamagedFile.faults(of: [UInt8](data), at: path) {
      _ = try CaffeWeights.weights(contentsOf: path)
    }
    #expect(faults == [])
  }

  /// Blue is first there, red here.
  @Test func theFirstConvolutionIsTurned() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.file("net.caffemodel")
    var data = layer("c1", "Convolution", [([1, 3, 1, 2], [1, 2, 3, 4, 5, 6]), ([1], [7])])
    data += layer("c2", "Convolution", [([1, 3, 1, 1], [1, 2, 3])])
    try data.write(to: URL(fileURLWithPath: path))
    let weights = try WeightsFile(path)
    #expect(weights.file.tensors["c1.weight"]?.floats == [5, 6, 3, 4, 1, 2])
    #expect(weights.file.tensors["c2.weight"]?.floats == [1, 2, 3])
    #expect(weights.note == "\(path): 'c1.weight' is turned, for Caffe's pictures have blue first")
  }

  /// What is computed of pictures alone is turned: scales of their colours too, and every convolution that reads
  /// them, but neither what reads parts of them nor a bias of three outputs.
  @Test func whatReadsPicturesIsTurned() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.file("net.caffemodel")
    let weight: ([Int], [Float]) = ([3, 3, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9])
    var data = layer("data", "Data", [], top: "data")
    data += layer(
      "bn", "BatchNorm", [([3], [1, 2, 3]), ([3], [4, 5, 6]), ([1], [1])], bottom: "data", top: "bn"
    )
    data += layer(
      "scale", "Scale", [([3], [1, 2, 3]), ([3], [4, 5, 6])], bottom: "bn", top: "bn")
    data += layer("a", "Convolution", [weight, ([3], [1, 2, 3])], bottom: "bn", top: "a")
    data += layer("b", "Convolution", [weight], bottom: "bn", top: "b")
    data += layer("c", "Convolution", [weight], bottom: "a", top: "c")
    data += layer("cut", "Slice", [], bottom: "data", top: "part")
    data += layer("d", "Convolution", [weight], bottom: "part", top: "d")
    try data.write(to: URL(fileURLWithPath: path))
    let weights = try WeightsFile(path)
    let (plain, turned): ([Float], [Float]) = (weight.1, [3, 2, 1, 6, 5, 4, 9, 8, 7])
    for (name, values) in [
      ("bn.running_mean", [3, 2, 1]), ("bn.running_var", [6, 5, 4]), ("scale.weight", [3, 2, 1]),
      ("scale.bias", [6, 5, 4]), ("a.weight", turned), ("a.bias", [1, 2, 3]), ("b.weight", turned),
      ("c.weight", plain), ("d.weight", plain),
    ] as [(String, [Float])] {
      #expect(weights.file.tensors[name]?.floats == values, "\(name)")
    }
    #expect(weights.note?.contains("'a.weight', 'b.weight' are turned") == true)
  }

  /// A net calls what layers share by its own name; another, which shares nothing, by the layers'.
  @Test(arguments: [false, true])
  func sharedWeightsHaveTwoNames(isOld: Bool) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.file("net.caffemodel")
    let shape = isOld ? [1, 1, 1, 2] : [1, 2]
    var data = Data()
    for name in ["ip", "ip_p"] {
      data += layer(name, "InnerProduct", [(shape, [1, 2])], isOld: isOld, shared: ["w"])
    }
    try data.write(to: URL(fileURLWithPath: path))
    let weights = try WeightsFile(path)
    #expect(weights.named(as: ["w"]).file.tensors.keys.sorted() == ["w"])
    #expect(weights.named(as: ["w"]).note == nil)
    let alone = weights.named(as: ["ip.weight"])
    #expect(alone.file.tensors.keys.sorted() == ["ip.weight"])
    #expect(
      alone.note?.contains("the network has no such layers, which are not read: ip_p.weight")
        == true)
    #expect(weights.named(as: ["other"]).file.tensors.count == 2)
  }

  /// Means of pictures: a blob alone.
  @Test func damagedMeansAreOneLine() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.file("mean.binaryproto")
    var blob = WireWriter()
    for (index, extent) in [1, 3, 2, 2].enumerated() { blob.int(index + 1, extent) }
    blob.floats(5, (0..<12).map { Float($0) })
    try blob.data.write(to: URL(fileURLWithPath: path))
    #expect(try CaffeWeights.channelMeans(contentsOf: path) == [1.5, 5.5, 9.5])
    let faults = try DamagedFile.faults(of: [UInt8](blob.data), at: path, needed: blob.data.count) {
      _ = try CaffeWeights.channelMeans(contentsOf: path)
    }
    #expect(faults == [])
  }
}
