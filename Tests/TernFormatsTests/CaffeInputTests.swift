import Foundation
import Tern
import TernCore
import TernGraph
import TernNN
import TernTestSupport
import Testing

@testable import TernFormats

/// Nets that read more than a picture and its class: several inputs, several labels, several outputs.
@Suite struct CaffeInputTests {
  private static let pair = """
    layer { name: 'a' type: 'Input' top: 'left' top: 'same' input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
    layer { name: 'b' type: 'Input' top: 'right' input_param { shape { dim: 4 dim: 2 } } }
    layer { name: 'fl' type: 'InnerProduct' bottom: 'left' top: 'fl' inner_product_param { num_output: 5 } }
    layer { name: 'fr' type: 'InnerProduct' bottom: 'right' top: 'fr' inner_product_param { num_output: 5 } }

    """

  @Test func severalInputsAreFields() throws {
    let model = try CaffeFixture.model(
      Self.pair
        + "layer { name: 'loss' type: 'ContrastiveLoss' bottom: 'fl' bottom: 'fr' bottom: 'same' top: 'loss' }"
    )
    #expect(model.inputs == [Field("left", [3]), Field("right", [2])])
    #expect(model.outputs == ["fl"] && model.task == .ownLosses(ofNumbers: false))
  }

  /// The first label is what the net is held against, others are read beside its inputs.
  @Test func severalLabelsAreFields() throws {
    let model = try CaffeFixture.model(
      """
      layer { name: 'd' type: 'DummyData' top: 'data' top: 'age' top: 'kind' top: 'place'
        dummy_data_param { num: 4 channels: 1 height: 6 width: 6 } }
      layer { name: 'ip' type: 'InnerProduct' bottom: 'data' top: 'ip' inner_product_param { num_output: 5 } }
      layer { name: 'where' type: 'InnerProduct' bottom: 'data' top: 'where' inner_product_param { num_output: 2 } }
      layer { name: 'l1' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'age' top: 'l1' }
      layer { name: 'l2' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'kind' top: 'l2' loss_weight: 0.5 }
      layer { name: 'l3' type: 'EuclideanLoss' bottom: 'where' bottom: 'place' top: 'l3' }
      """)
    #expect(
      model.inputs == [
        Field("data", [1, 6, 6]), Field("kind", [], .int32), Field("place", [2]),
      ])
    #expect(model.task == .ownLosses(ofNumbers: false) && model.outputs == ["ip"])
  }

  @Test func severalOutputsComeOut() throws {
    let model = try CaffeFixture.model(
      CaffeFixture.net(
        [1, 4, 4],
        CaffeFixture.product("a", "data", 3)
          + "layer { name: 'prob' type: 'Softmax' bottom: 'a' top: 'prob' }\n"
          + CaffeFixture.product("box", "data", 4)))
    #expect(model.outputs == ["box", "prob"])
    let (graph, _) = try model.inferenceGraph(batchSize: 2)
    #expect(graph.outputs.map { graph.type($0.id).shape } == [[2, 4], [2, 3]])
  }

  /// What the extents of a sample are read from.
  @Test(
    arguments: [
      (
        "type: 'MemoryData' memory_data_param { batch_size: 2 channels: 3 height: 5 width: 7 }",
        [3, 5, 7]
      ),
      ("type: 'DummyData' dummy_data_param { shape { dim: 9 dim: 6 } }", [6]),
      ("type: 'WindowData' transform_param { crop_size: 8 }", [3, 8, 8]),
      ("type: 'Data' data_param { crop_size: 9 mirror: true }", [3, 9, 9]),
      ("type: 'Input' input_param { shape: { dim: 1 dim: 2 dim: 3 dim: 4 } }", [2, 3, 4]),
    ])
  func dataSaysItsExtents(layer: String, shape: [Int]) throws {
    let text =
      "layer { name: 'd' top: 'data' \(layer) }\n" + CaffeFixture.product("ip", "data", 2)
    #expect(try CaffeFixture.model(text).inputShape == Shape(shape))
  }

  /// Of old, pictures were cut and scaled by the layer's own settings.
  @Test func oldSettingsOfPicturesCount() throws {
    let old = """
      layers { name: 'd' type: DATA top: 'data' top: 'label'
        data_param { source: 'x' batch_size: 7 scale: 0.5 crop_size: 6 mirror: true } }
      layers { name: 'ip' type: INNER_PRODUCT bottom: 'data' top: 'ip' inner_product_param { num_output: 2 } }
      layers { name: 'l' type: SOFTMAX_LOSS bottom: 'ip' bottom: 'label' }
      """
    let settings = try CaffeFixture.withFile(old) { try CaffeNetwork.settings(contentsOf: $0) }
    #expect(settings["augment"] == .string("flip") && settings["image_size"] == .int(6))
    #expect(settings["normalize"]?.words == "0.0,\(1 / (255 * 0.5))")
    let oldest = """
      layers { layer { name: 'd' type: 'window_data' source: 'w' batchsize: 5 cropsize: 8 det_context_pad: 16
        det_crop_mode: 'warp' } top: 'data' top: 'label' }
      layers { layer { name: 'fc' type: 'innerproduct' num_output: 2 } bottom: 'data' top: 'fc' }
      """
    #expect(try CaffeFixture.model(oldest).inputShape == [3, 8, 8])
  }

  @Test func whatIsNotKnownIsALine() throws {
    func fault(_ text: String) -> String {
      do {
        _ = try CaffeFixture.model(text, [3])
        return "read"
      } catch { return "\((error as? TernError)?.message ?? "\(error)")" }
    }
    let data =
      "layer { name: 'd' type: 'HDF5Data' top: 'a' top: 'b' hdf5_data_param { source: 'gone' } }\n"
    let both =
      "layer { name: 'f' type: 'InnerProduct' bottom: 'a' top: 'f' inner_product_param { num_output: 5 } }\n"
      + "layer { name: 'g' type: 'InnerProduct' bottom: 'b' top: 'g' inner_product_param { num_output: 5 } }"
    #expect(fault(data + both).contains(":1: the extents of 'b', of which the net has none"))
    #expect(
      fault(
        data.replacing("HDF5Data", with: "Data")
          + "layer { name: 'f' type: 'InnerProduct' bottom: 'b' top: 'f' inner_product_param { num_output: 5 } }"
      ).contains("'b' holds labels, which losses alone read here"))
    let loss =
      CaffeFixture.product("f", "a", 3)
      + "layer { name: 'l' type: 'SoftmaxWithLoss' bottom: 'f' bottom: 'b' SETTINGS }"
    #expect(
      fault(data + loss.replacing("SETTINGS", with: "loss_param { ignore_label: 3 }"))
        .contains("ignore_label is not known here"))
    #expect(
      fault(data + loss.replacing("SETTINGS", with: "loss_param { normalization: BATCH_SIZE }"))
        == "read")
    #expect(
      fault(data + loss.replacing("SETTINGS", with: "softmax_param { axis: 2 }")).contains("axis 2")
    )
  }
}
