import Foundation
import Tern
import TernCore
import TernGraph
import TernNN
import TernTestSupport
import Testing

@testable import TernFormats

/// Nets of the structure that BVLC's examples have, with their published numbers of parameters. `Tests/caffe_examples.py`
/// holds the files themselves against the same numbers.
@Suite struct CaffeExampleTests {
  private func parameterCount(_ text: String, _ shape: Shape? = nil) throws -> Int {
    let model = try CaffeFixture.model(text, shape)
    let builder = GraphBuilder()
    let step = try builder.input("step", TensorType([], .int32))
    let context = LayerContext(builder: builder, mode: .training, step: step)
    _ = try model.forward(model.appendInputs(to: builder, batchSize: 2), in: context)
    return context.parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
  }

  private static func data(_ tops: String, _ more: String = "") -> String {
    "layer { name: 'data' type: 'Data' \(tops) data_param { source: 'x' batch_size: 4 } \(more) }\n"
  }

  /// conv – pool – conv – pool – product – relu – product, of digits.
  private static func lenet(_ bottom: String) -> String {
    var text = CaffeFixture.convolution("conv1", bottom, 20, 5)
    text +=
      CaffeFixture.pool("pool1", "conv1", 2, 2) + CaffeFixture.convolution("conv2", "pool1", 50, 5)
    text += CaffeFixture.pool("pool2", "conv2", 2, 2) + CaffeFixture.product("ip1", "pool2", 500)
    return text + "layer { name: 'relu1' type: 'ReLU' bottom: 'ip1' top: 'ip1' }\n"
      + CaffeFixture.product("ip2", "ip1", 10)
  }

  @Test func digits() throws {
    let text =
      Self.data("top: 'data' top: 'label'") + Self.lenet("data")
      + CaffeFixture.loss("loss", "ip2", 1)
    #expect(try parameterCount(text, [1, 28, 28]) == 431_080)
    let deploy =
      "input: 'data' input_shape { dim: 64 dim: 1 dim: 28 dim: 28 }\n" + Self.lenet("data")
    #expect(try parameterCount(deploy) == 431_080)
  }

  /// Three convolutions whose pools are of both kinds and round up, with normalisation between them or not.
  @Test func smallPictures() throws {
    var quick = Self.data("top: 'data' top: 'label'")
    quick += CaffeFixture.convolution("conv1", "data", 32, 5, pad: 2)
    quick += CaffeFixture.pool("pool1", "conv1", 3, 2)
    quick += CaffeFixture.convolution("conv2", "pool1", 32, 5, pad: 2)
    quick += CaffeFixture.pool("pool2", "conv2", 3, 2, "AVE")
    quick += CaffeFixture.convolution("conv3", "pool2", 64, 5, pad: 2)
    quick += CaffeFixture.pool("pool3", "conv3", 3, 2, "AVE")
    let products = CaffeFixture.product("ip1", "pool3", 64) + CaffeFixture.product("ip2", "ip1", 10)
    #expect(
      try parameterCount(quick + products + CaffeFixture.loss("loss", "ip2", 1), [3, 32, 32])
        == 145_578)
    let within =
      "layer { name: 'norm' type: 'LRN' bottom: 'pool3' top: 'norm' "
      + "lrn_param { local_size: 3 alpha: 5e-5 beta: 0.75 norm_region: WITHIN_CHANNEL } }\n"
    #expect(
      try parameterCount(
        quick + within + CaffeFixture.product("ip1", "norm", 10)
          + CaffeFixture.loss("loss", "ip1", 1),
        [3, 32, 32]) == 89_578)
  }

  /// Down to a code and back: two losses of the same name, data of two stages for testing.
  @Test func autoencoder() throws {
    var text = Self.data("top: 'data'", "include { phase: TRAIN }")
    text += Self.data("top: 'data'", "include { phase: TEST stage: 'test-on-train' }")
    text += Self.data("top: 'data'", "include { phase: TEST stage: 'test-on-test' }")
    text += "layer { name: 'flatdata' type: 'Flatten' bottom: 'data' top: 'flatdata' }\n"
    var last = "data"
    for (index, count) in [1000, 500, 250, 30, 250, 500, 1000, 784].enumerated() {
      text += CaffeFixture.product("ip\(index)", last, count)
      if index != 3, index != 7 {
        text +=
          "layer { name: 'n\(index)' type: 'Sigmoid' bottom: 'ip\(index)' top: 'n\(index)' }\n"
      }
      last = index == 3 ? "ip3" : "n\(index)"
    }
    text += "layer { name: 'loss' type: 'SigmoidCrossEntropyLoss' bottom: 'ip7' bottom: 'flatdata' "
    text += "top: 'cross_entropy_loss' loss_weight: 1 }\n"
    text += "layer { name: 'neuron' type: 'Sigmoid' bottom: 'ip7' top: 'neuron' }\n"
    text += "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'neuron' bottom: 'flatdata' "
    text += "top: 'l2_error' loss_weight: 0 }\n"
    #expect(try parameterCount(text, [1, 28, 28]) == 2_837_314)
  }

  /// Both pictures of a pair through layers whose parameters have names of their own.
  @Test func siamese() throws {
    func half(_ end: String) -> String {
      var text = Self.lenet("data") + CaffeFixture.product("feat", "ip2", 2)
      for name in ["conv1", "conv2", "ip1", "ip2", "feat"] {
        let opening = "layer { name: '\(name)' "
        text = text.replacing("layer { name: \"\(name)\" ", with: opening)
        let shared = "param { name: '\(name)_w' } param { name: '\(name)_b' } "
        text = text.replacing(opening, with: opening + shared)
      }
      let names = [
        "data", "conv1", "pool1", "conv2", "pool2", "ip1", "ip2", "feat", "relu1", "relu_conv1",
        "relu_conv2",
      ]
      for quote in ["'", "\""] {
        for name in names {
          text = text.replacing("\(quote)\(name)\(quote)", with: "\(quote)\(name)\(end)\(quote)")
        }
      }
      return text
    }
    var text = Self.data("top: 'pair_data' top: 'sim'")
    text +=
      "layer { name: 'slice_pair' type: 'Slice' bottom: 'pair_data' top: 'data' top: 'data_p' "
    text += "slice_param { slice_dim: 1 slice_point: 1 } }\n" + half("") + half("_p")
    text +=
      "layer { name: 'loss' type: 'ContrastiveLoss' bottom: 'feat' bottom: 'feat_p' bottom: 'sim' "
    text += "top: 'loss' contrastive_loss_param { margin: 1 } }\n"
    #expect(try parameterCount(text, [2, 28, 28]) == 431_102)
  }

  /// CaffeNet up to what regions, or pictures of another kind, are told by.
  @Test(arguments: [
    ("fc-rcnn", 200, 57_687_624), ("fc8_flickr", 20, 56_950_164), ("fc8_pascal", 21, 56_954_261),
  ])
  func otherLastLayers(name: String, count: Int, expected: Int) throws {
    var text = "input: 'data' input_dim: 10 input_dim: 3 input_dim: 227 input_dim: 227\n"
    if name != "fc-rcnn" {
      text =
        "layer { name: 'data' type: '\(count == 21 ? "WindowData" : "ImageData")' top: 'data' top: 'label' "
      text += "transform_param { mirror: true crop_size: 227 mean_file: 'none.binaryproto' } "
      text +=
        "\(count == 21 ? "window_data_param" : "image_data_param") { source: 'x' batch_size: 50 } }\n"
    }
    text += CaffeFixture.convolution("conv1", "data", 96, 11, stride: 4)
    text += CaffeFixture.pool("pool1", "conv1", 3, 2) + CaffeFixture.normalization("norm1", "pool1")
    text += CaffeFixture.convolution("conv2", "norm1", 256, 5, pad: 2, group: 2)
    text += CaffeFixture.pool("pool2", "conv2", 3, 2) + CaffeFixture.normalization("norm2", "pool2")
    text += CaffeFixture.convolution("conv3", "norm2", 384, 3, pad: 1)
    text += CaffeFixture.convolution("conv4", "conv3", 384, 3, pad: 1, group: 2)
    text += CaffeFixture.convolution("conv5", "conv4", 256, 3, pad: 1, group: 2)
    text += CaffeFixture.pool("pool5", "conv5", 3, 2) + CaffeFixture.product("fc6", "pool5", 4096)
    text += CaffeFixture.product("fc7", "fc6", 4096) + CaffeFixture.product(name, "fc7", count)
    if name != "fc-rcnn" { text += CaffeFixture.loss("loss", name, 1) }
    #expect(try parameterCount(text) == expected)
    let settings = try CaffeFixture.withFile(text) { try CaffeNetwork.settings(contentsOf: $0) }
    #expect(settings["batch_size"] == (name == "fc-rcnn" ? nil : .int(50)))
    #expect(settings["augment"] == (name == "fc-rcnn" ? nil : .string("flip")))
  }

  /// Products alone, of vectors in HDF5 files.
  @Test func vectors() throws {
    let data =
      "layer { name: 'data' type: 'HDF5Data' top: 'data' top: 'label' hdf5_data_param { source: 'x' batch_size: 10 } }\n"
    let linear = CaffeFixture.product("fc1", "data", 2) + CaffeFixture.loss("loss", "fc1", 1)
    #expect(try parameterCount(data + linear, [4]) == 10)
    let bent =
      CaffeFixture.product("ip1", "data", 40)
      + "layer { name: 'relu1' type: 'ReLU' bottom: 'ip1' top: 'ip1' }\n"
      + CaffeFixture.product("ip2", "ip1", 2) + CaffeFixture.loss("loss", "ip2", 1)
    #expect(try parameterCount(data + bent, [4]) == 282)
  }
}
