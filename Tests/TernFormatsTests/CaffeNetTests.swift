import Foundation
import Tern
import TernCore
import TernData
import TernGraph
import TernNN
import TernTestSupport
import Testing

@testable import TernFormats

/// Nets in Caffe's text format: what they become, and their published numbers of parameters.
@Suite struct CaffeNetTests {
  private func parameterCount(_ model: Model, trained: Bool = false) throws -> Int {
    let builder = GraphBuilder()
    let step = try builder.input("step", TensorType([], .int32))
    let context = LayerContext(
      builder: builder, mode: trained ? .training : .inference, step: step)
    _ = try model.forward(model.appendInputs(to: builder, batchSize: 2), in: context)
    return context.parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
  }

  @Test func aNetIsANetwork() throws {
    let model = try CaffeNetwork.model(contentsOf: CaffeFixture.digits, inputShape: [1, 28, 28])
    #expect(model.classCount == 10)
    #expect(model.outputs == ["ip2"])
    let (graph, context) = try model.inferenceGraph(batchSize: 3)
    #expect(graph.type(graph.outputs[0].id).shape == [3, 10])
    #expect(
      context.parameters.map(\.name) == [
        "conv1.weight", "conv1.bias", "ip1.weight", "ip1.bias", "ip2.weight", "ip2.bias",
      ])
    #expect(context.summaries.map(\.name).contains("pool1"))
    let settings = try CaffeNetwork.settings(contentsOf: CaffeFixture.digits)
    #expect(settings["batch_size"] == .int(20))
    #expect(
      settings["param_groups"]
        == .string(
          "conv1.bias:lr=2.0,decay=1.0;ip1.bias:lr=2.0,decay=1.0;ip2.bias:lr=2.0,decay=1.0"))
    guard case .string(let scale)? = settings["normalize"] else {
      Issue.record("no normalisation")
      return
    }
    // A byte b is b/255 in Tern, and b/256 in the net.
    let parts = scale.split(separator: ",").compactMap { Double($0) }
    #expect(parts.count == 2 && parts[0] == 0 && abs(1 / parts[1] - 255.0 / 256) < 1e-12)
  }

  @Test func otherClassesAreOtherOutputs() throws {
    let model = try CaffeNetwork.model(
      contentsOf: CaffeFixture.digits, inputShape: [1, 28, 28], classCount: 3)
    #expect(model.classCount == 3)
    #expect(model.notes.contains { $0.contains("'ip2' has 3 outputs in place of 10") })
    let (graph, _) = try model.inferenceGraph(batchSize: 2)
    #expect(graph.type(graph.outputs[0].id).shape == [2, 3])
  }

  @Test func caffeNetHasItsParameters() throws {
    var text = CaffeFixture.imagenet.replacing("SIZE", with: "crop_size: 227")
    text +=
      CaffeFixture.convolution("conv1", "data", 96, 11, stride: 4)
      + CaffeFixture.pool("pool1", "conv1", 3, 2)
    text += CaffeFixture.normalization("norm1", "pool1")
    text += CaffeFixture.convolution("conv2", "norm1", 256, 5, pad: 2, group: 2)
    text += CaffeFixture.pool("pool2", "conv2", 3, 2) + CaffeFixture.normalization("norm2", "pool2")
    text += CaffeFixture.convolution("conv3", "norm2", 384, 3, pad: 1)
    text += CaffeFixture.convolution("conv4", "conv3", 384, 3, pad: 1, group: 2)
    text += CaffeFixture.convolution("conv5", "conv4", 256, 3, pad: 1, group: 2)
    text += CaffeFixture.pool("pool5", "conv5", 3, 2) + CaffeFixture.product("fc6", "pool5", 4096)
    text += "layer { name: 'drop6' type: 'Dropout' bottom: 'fc6' top: 'fc6' }\n"
    text += CaffeFixture.product("fc7", "fc6", 4096) + CaffeFixture.product("fc8", "fc7", 1000)
    text += CaffeFixture.loss("loss", "fc8", 1)
    let model = try CaffeFixture.model(text)
    #expect(model.inputShape == [3, 227, 227])
    #expect(try parameterCount(model) == 60_965_224)
    try CaffeFixture.withFile(text) { path in
      let settings = try CaffeNetwork.settings(contentsOf: path)
      #expect(settings["augment"] == .string("flip"))
      #expect(settings["image_size"] == .int(227))
      // Blue is first there, red here.
      let normalize = settings["normalize"]?.words ?? ""
      #expect(normalize.hasPrefix("\(123.0 / 255),\(1.0 / 255);\(117.0 / 255),"))
    }
  }

  @Test func googLeNetHasItsParametersAndHeads() throws {
    var text = CaffeFixture.imagenet.replacing("SIZE", with: "crop_size: 224")
    text += CaffeFixture.convolution("conv1/7x7_s2", "data", 64, 7, stride: 2, pad: 3)
    text +=
      CaffeFixture.pool("pool1", "conv1/7x7_s2", 3, 2)
      + CaffeFixture.normalization("norm1", "pool1")
    text += CaffeFixture.convolution("conv2/3x3_reduce", "norm1", 64, 1)
    text += CaffeFixture.convolution("conv2/3x3", "conv2/3x3_reduce", 192, 3, pad: 1)
    text +=
      CaffeFixture.normalization("norm2", "conv2/3x3") + CaffeFixture.pool("pool2", "norm2", 3, 2)
    var bottom = "pool2"
    let modules: [(String, [Int])] = [
      ("3a", [64, 96, 128, 16, 32, 32]), ("3b", [128, 128, 192, 32, 96, 64]),
      ("4a", [192, 96, 208, 16, 48, 64]), ("4b", [160, 112, 224, 24, 64, 64]),
      ("4c", [128, 128, 256, 24, 64, 64]), ("4d", [112, 144, 288, 32, 64, 64]),
      ("4e", [256, 160, 320, 32, 128, 128]), ("5a", [256, 160, 320, 32, 128, 128]),
      ("5b", [384, 192, 384, 48, 128, 128]),
    ]
    for (name, n) in modules {
      let base = "inception_\(name)"
      text += CaffeFixture.convolution("\(base)/1x1", bottom, n[0], 1)
      text += CaffeFixture.convolution("\(base)/3x3_reduce", bottom, n[1], 1)
      text += CaffeFixture.convolution("\(base)/3x3", "\(base)/3x3_reduce", n[2], 3, pad: 1)
      text += CaffeFixture.convolution("\(base)/5x5_reduce", bottom, n[3], 1)
      text += CaffeFixture.convolution("\(base)/5x5", "\(base)/5x5_reduce", n[4], 5, pad: 2)
      text += CaffeFixture.pool("\(base)/pool", bottom, 3, 1, pad: 1)
      text += CaffeFixture.convolution("\(base)/pool_proj", "\(base)/pool", n[5], 1)
      let parts = ["1x1", "3x3", "5x5", "pool_proj"].map { "bottom: '\(base)/\($0)'" }
      text += "layer { name: '\(base)/output' type: 'Concat' \(parts.joined(separator: " ")) "
      text += "top: '\(base)/output' }\n"
      bottom = "\(base)/output"
      if name == "4a" || name == "4d" {
        let head = name == "4a" ? "loss1" : "loss2"
        text += CaffeFixture.pool("\(head)/ave_pool", bottom, 5, 3, "AVE")
        text += CaffeFixture.convolution("\(head)/conv", "\(head)/ave_pool", 128, 1)
        text += CaffeFixture.product("\(head)/fc", "\(head)/conv", 1024)
        text += CaffeFixture.product("\(head)/classifier", "\(head)/fc", 1000)
        text += CaffeFixture.loss("\(head)/loss", "\(head)/classifier", 0.3)
      }
      if name == "3b" || name == "4e" {
        text += CaffeFixture.pool("pool_\(name)", bottom, 3, 2)
        bottom = "pool_\(name)"
      }
    }
    text +=
      CaffeFixture.pool("pool5", bottom, 7, 1, "AVE")
      + CaffeFixture.product("loss3/classifier", "pool5", 1000)
    text += CaffeFixture.loss("loss3/loss3", "loss3/classifier", 1)
    let model = try CaffeFixture.model(text)
    #expect(model.outputs == ["loss3/classifier"])
    // The published network with both heads.
    #expect(try parameterCount(model, trained: true) == 13_378_280)
    let builder = GraphBuilder()
    let step = try builder.input("step", TensorType([], .int32))
    let context = LayerContext(builder: builder, mode: .training, step: step)
    _ = try model.forward(model.appendInputs(to: builder, batchSize: 2), in: context)
    #expect(context.auxiliaryOutputs.map(\.weight) == [0.3, 0.3])
    #expect(context.auxiliaryOutputs.allSatisfy { $0.output.shape == [2, 1000] })
    let other = try CaffeFixture.model(text, classes: 5)
    #expect(other.notes.count == 3)
  }

  @Test func theOldFormIsRead() throws {
    let text = """
      input: "data" input_dim: 1 input_dim: 1 input_dim: 6 input_dim: 6
      layers { name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip" blobs_lr: 1 blobs_lr: 2
        weight_decay: 1 weight_decay: 0 inner_product_param { num_output: 4 } }
      layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" }
      """
    let model = try CaffeFixture.model(text)
    #expect(model.inputShape == [1, 6, 6])
    #expect(model.outputs == ["ip"] && model.notes.count == 1)
    let settings = try CaffeFixture.withFile(text) { try CaffeNetwork.settings(contentsOf: $0) }
    #expect(settings["param_groups"] == .string("ip.bias:lr=2.0,decay=0.0"))
  }

  /// The form of 2013: a layer of zeros in front, settings without messages of their own.
  @Test func theOldestFormIsRead() throws {
    let text = """
      input: "data" input_dim: 1 input_dim: 3 input_dim: 10 input_dim: 10
      layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
      layers {
        layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 5 stride: 2 group: 1 biasterm: true
          weight_filler { type: "gaussian" std: 0.01 } blobs_lr: 1. blobs_lr: 2. weight_decay: 1. weight_decay: 0. }
        bottom: "pad1" top: "conv1"
      }
      layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
      layers { layer { name: "pool1" type: "pool" pool: MAX kernelsize: 3 stride: 2 } bottom: "conv1" top: "pool1" }
      layers { layer { name: "norm1" type: "lrn" local_size: 5 alpha: 0.0001 beta: 0.75 } bottom: "pool1" top: "norm1" }
      layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.5 } bottom: "norm1" top: "norm1" }
      layers { layer { name: "fc" type: "innerproduct" num_output: 7 } bottom: "norm1" top: "fc" }
      layers { layer { name: "prob" type: "softmax" } bottom: "fc" top: "prob" }
      """
    let model = try CaffeFixture.model(text)
    #expect(model.inputShape == [3, 10, 10] && model.classCount == 7)
    // 10 + 2 · 2 zeros give 5 by 5, pooled to 2 by 2.
    #expect(try parameterCount(model) == 4 * 3 * 25 + 4 + 7 * 16 + 7)
    let settings = try CaffeFixture.withFile(text) { try CaffeNetwork.settings(contentsOf: $0) }
    #expect(settings["param_groups"] == .string("conv1.bias:lr=2.0,decay=0.0"))
    let data = """
      layers { layer { name: "d" type: "data" source: "db" scale: 0.5 batchsize: 9 cropsize: 6 mirror: true }
        top: "data" top: "label" }
      layers { layer { name: "fc" type: "innerproduct" num_output: 2 } bottom: "data" top: "fc" }
      layers { layer { name: "loss" type: "softmax_loss" } bottom: "fc" bottom: "label" }
      """
    let read = try CaffeFixture.withFile(data) { try CaffeNetwork.settings(contentsOf: $0) }
    #expect(
      read["batch_size"] == .int(9) && read["image_size"] == .int(6)
        && read["augment"] == .string("flip"))
    for (old, message) in [
      ("type: 'convo'", "did you mean 'conv'?"), ("type: 'relu' stride: 2", "has no such field"),
      ("nothing: 1", "a layer without a type"),
    ] {
      let error = #expect(throws: TernError.self) {
        try CaffeFixture.model("layers { layer { name: 'x' \(old) } bottom: 'd' top: 't' }")
      }
      #expect(error?.kind == .badData && error?.message.contains(message) == true, "\(old)")
    }
  }

  @Test func theDatabasesOfANetAreItsData() throws {
    let settings = try CaffeNetwork.settings(contentsOf: CaffeFixture.digits)
    #expect(settings["data"] == .string("lmdb:train_lmdb,test_lmdb"))
    let other = "layer { name: 'd' type: 'Data' top: 'data' data_param { source: 'x' BACKEND } }"
    for (backend, expected) in [
      ("", nil), ("backend: LEVELDB", nil), ("backend: LMDB", AttributeValue.string("lmdb:x")),
    ] {
      let text = other.replacing("BACKEND", with: backend)
      let read = try CaffeFixture.withFile(text) { try CaffeNetwork.settings(contentsOf: $0) }
      #expect(read["data"] == expected)
    }
  }
}
