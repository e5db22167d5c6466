import Foundation
import Tern
import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime
import TernTestSupport
import Testing

@testable import TernFormats

/// Nets and solvers in Caffe's text format.
@Suite struct CaffeTests {
  private func withFile<R>(
    _ text: String, _ name: String = "net.prototxt", _ body: (String) throws -> R
  ) throws -> R {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try Data(text.utf8).write(to: URL(fileURLWithPath: workspace.file(name)))
    return try body(workspace.file(name))
  }

  private func model(_ text: String, _ shape: Shape? = nil, classes: Int? = nil) throws -> Model {
    try withFile(text) {
      try CaffeNetwork.model(contentsOf: $0, inputShape: shape, classCount: classes)
    }
  }

  private func fault(_ text: String, _ shape: Shape = [1, 8, 8]) -> String {
    do {
      _ = try model(text, shape)
      return "read"
    } catch let error as TernError {
      #expect(error.kind == .badData)
      #expect(!error.message.contains("\n"))
      return String(error.message.drop { $0 != ":" })
    } catch { return "\(error)" }
  }

  static let digits =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/FormatCases/caffe/digits_train_test.prototxt"

  /// A layer of one kind between an input and the end.
  private func net(_ shape: [Int], _ layers: String) -> String {
    let dims = shape.map { "dim: \($0)" }.joined(separator: " ")
    return """
      name: "one"
      layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 \(dims) } } }
      \(layers)
      """
  }

  private func parameterCount(_ model: Model, trained: Bool = false) throws -> Int {
    let builder = GraphBuilder()
    let step = try builder.input("step", TensorType([], .int32))
    let context = LayerContext(
      builder: builder, mode: trained ? .training : .inference, step: step)
    _ = try model.forward(model.appendInputs(to: builder, batchSize: 2), in: context)
    return context.parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.elementCount }
  }

  @Test func aNetIsANetwork() throws {
    let model = try CaffeNetwork.model(contentsOf: Self.digits, inputShape: [1, 28, 28])
    #expect(model.classCount == 10)
    #expect(model.outputs == ["ip2"])
    let (graph, context) = try model.inferenceGraph(batchSize: 3)
    #expect(graph.type(graph.outputs[0].id).shape == [3, 10])
    #expect(
      context.parameters.map(\.name) == [
        "conv1.weight", "conv1.bias", "ip1.weight", "ip1.bias", "ip2.weight", "ip2.bias",
      ])
    #expect(context.summaries.map(\.name).contains("pool1"))
    let settings = try CaffeNetwork.settings(contentsOf: Self.digits)
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
      contentsOf: Self.digits, inputShape: [1, 28, 28], classCount: 3)
    #expect(model.classCount == 3)
    #expect(model.notes.contains { $0.contains("'ip2' has 3 outputs in place of 10") })
    let (graph, _) = try model.inferenceGraph(batchSize: 2)
    #expect(graph.type(graph.outputs[0].id).shape == [2, 3])
  }

  // MARK: Published numbers of parameters

  private static func convolution(
    _ name: String, _ bottom: String, _ count: Int, _ kernel: Int, stride: Int = 1, pad: Int = 0,
    group: Int = 1
  ) -> String {
    """
    layer { name: "\(name)" type: "Convolution" bottom: "\(bottom)" top: "\(name)"
      convolution_param { num_output: \(count) kernel_size: \(kernel) stride: \(stride) pad: \(pad) group: \(group)
        weight_filler { type: "gaussian" std: 0.01 } bias_filler { type: "constant" value: 0.1 } } }
    layer { name: "relu_\(name)" type: "ReLU" bottom: "\(name)" top: "\(name)" }

    """
  }

  private static func pool(
    _ name: String, _ bottom: String, _ kernel: Int, _ stride: Int, pad: Int = 0,
    _ kind: String = "MAX"
  ) -> String {
    "layer { name: '\(name)' type: 'Pooling' bottom: '\(bottom)' top: '\(name)' "
      + "pooling_param { pool: \(kind) kernel_size: \(kernel) stride: \(stride) pad: \(pad) } }\n"
  }

  private static func product(_ name: String, _ bottom: String, _ count: Int) -> String {
    "layer { name: '\(name)' type: 'InnerProduct' bottom: '\(bottom)' top: '\(name)' "
      + "inner_product_param { num_output: \(count) weight_filler { type: 'xavier' } } }\n"
  }

  private static func normalization(_ name: String, _ bottom: String) -> String {
    "layer { name: '\(name)' type: 'LRN' bottom: '\(bottom)' top: '\(name)' "
      + "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }\n"
  }

  private static func loss(_ name: String, _ bottom: String, _ weight: Double) -> String {
    "layer { name: '\(name)' type: 'SoftmaxWithLoss' bottom: '\(bottom)' bottom: 'label' "
      + "top: '\(name)' loss_weight: \(weight) }\n"
  }

  private static let imagenet =
    "layer { name: 'data' type: 'Data' top: 'data' top: 'label' "
    + "transform_param { mirror: true SIZE mean_value: 104 mean_value: 117 mean_value: 123 } "
    + "data_param { batch_size: 32 } }\n"

  @Test func caffeNetHasItsParameters() throws {
    var text = Self.imagenet.replacing("SIZE", with: "crop_size: 227")
    text += Self.convolution("conv1", "data", 96, 11, stride: 4) + Self.pool("pool1", "conv1", 3, 2)
    text += Self.normalization("norm1", "pool1")
    text += Self.convolution("conv2", "norm1", 256, 5, pad: 2, group: 2)
    text += Self.pool("pool2", "conv2", 3, 2) + Self.normalization("norm2", "pool2")
    text += Self.convolution("conv3", "norm2", 384, 3, pad: 1)
    text += Self.convolution("conv4", "conv3", 384, 3, pad: 1, group: 2)
    text += Self.convolution("conv5", "conv4", 256, 3, pad: 1, group: 2)
    text += Self.pool("pool5", "conv5", 3, 2) + Self.product("fc6", "pool5", 4096)
    text += "layer { name: 'drop6' type: 'Dropout' bottom: 'fc6' top: 'fc6' }\n"
    text += Self.product("fc7", "fc6", 4096) + Self.product("fc8", "fc7", 1000)
    text += Self.loss("loss", "fc8", 1)
    let model = try model(text)
    #expect(model.inputShape == [3, 227, 227])
    #expect(try parameterCount(model) == 60_965_224)
    try withFile(text) { path in
      let settings = try CaffeNetwork.settings(contentsOf: path)
      #expect(settings["augment"] == .string("flip"))
      #expect(settings["image_size"] == .int(227))
      // Blue is first there, red here.
      let normalize = settings["normalize"]?.words ?? ""
      #expect(normalize.hasPrefix("\(123.0 / 255),\(1.0 / 255);\(117.0 / 255),"))
    }
  }

  @Test func googLeNetHasItsParametersAndHeads() throws {
    var text = Self.imagenet.replacing("SIZE", with: "crop_size: 224")
    text += Self.convolution("conv1/7x7_s2", "data", 64, 7, stride: 2, pad: 3)
    text += Self.pool("pool1", "conv1/7x7_s2", 3, 2) + Self.normalization("norm1", "pool1")
    text += Self.convolution("conv2/3x3_reduce", "norm1", 64, 1)
    text += Self.convolution("conv2/3x3", "conv2/3x3_reduce", 192, 3, pad: 1)
    text += Self.normalization("norm2", "conv2/3x3") + Self.pool("pool2", "norm2", 3, 2)
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
      text += Self.convolution("\(base)/1x1", bottom, n[0], 1)
      text += Self.convolution("\(base)/3x3_reduce", bottom, n[1], 1)
      text += Self.convolution("\(base)/3x3", "\(base)/3x3_reduce", n[2], 3, pad: 1)
      text += Self.convolution("\(base)/5x5_reduce", bottom, n[3], 1)
      text += Self.convolution("\(base)/5x5", "\(base)/5x5_reduce", n[4], 5, pad: 2)
      text += Self.pool("\(base)/pool", bottom, 3, 1, pad: 1)
      text += Self.convolution("\(base)/pool_proj", "\(base)/pool", n[5], 1)
      let parts = ["1x1", "3x3", "5x5", "pool_proj"].map { "bottom: '\(base)/\($0)'" }
      text += "layer { name: '\(base)/output' type: 'Concat' \(parts.joined(separator: " ")) "
      text += "top: '\(base)/output' }\n"
      bottom = "\(base)/output"
      if name == "4a" || name == "4d" {
        let head = name == "4a" ? "loss1" : "loss2"
        text += Self.pool("\(head)/ave_pool", bottom, 5, 3, "AVE")
        text += Self.convolution("\(head)/conv", "\(head)/ave_pool", 128, 1)
        text += Self.product("\(head)/fc", "\(head)/conv", 1024)
        text += Self.product("\(head)/classifier", "\(head)/fc", 1000)
        text += Self.loss("\(head)/loss", "\(head)/classifier", 0.3)
      }
      if name == "3b" || name == "4e" {
        text += Self.pool("pool_\(name)", bottom, 3, 2)
        bottom = "pool_\(name)"
      }
    }
    text +=
      Self.pool("pool5", bottom, 7, 1, "AVE") + Self.product("loss3/classifier", "pool5", 1000)
    text += Self.loss("loss3/loss3", "loss3/classifier", 1)
    let model = try model(text)
    #expect(model.outputs == ["loss3/classifier"])
    // The published network with both heads.
    #expect(try parameterCount(model, trained: true) == 13_378_280)
    let builder = GraphBuilder()
    let step = try builder.input("step", TensorType([], .int32))
    let context = LayerContext(builder: builder, mode: .training, step: step)
    _ = try model.forward(model.appendInputs(to: builder, batchSize: 2), in: context)
    #expect(context.auxiliaryOutputs.map(\.weight) == [0.3, 0.3])
    #expect(context.auxiliaryOutputs.allSatisfy { $0.output.shape == [2, 1000] })
    let other = try self.model(text, classes: 5)
    #expect(other.notes.count == 3)
  }

  // MARK: What layers compute

  private func output(
    _ layers: String, _ input: HostTensor, weights: [String: [Float]] = [:], on device: String
  ) throws -> HostTensor {
    let text = net(Array(input.shape.dimensions.dropFirst()), layers)
    let model = try model(text)
    let session = Session(device: try TestDevices.open(device))
    let executable = try session.compile(
      model.inferenceGraph(batchSize: input.shape[0]).graph)
    for (name, values) in weights {
      try session.write([name: HostTensor(session.variableType(name)!.shape, values)])
    }
    return try executable.run(["images": input])[model.outputs[0]]!
  }

  /// The last window may reach beyond the border; zeros around the input count, what is beyond does not.
  @Test(arguments: TestDevices.ids)
  func averagesReachBeyondTheBorder(device: String) throws {
    for (extent, kernel, stride, pad) in [(6, 3, 2, 0), (7, 3, 2, 1), (5, 2, 2, 0), (8, 3, 3, 1)] {
      let x = Experiment.draw("x", [2, 1, extent, extent])
      var count = Int((Double(extent + 2 * pad - kernel) / Double(stride)).rounded(.up)) + 1
      if pad > 0, (count - 1) * stride >= extent + pad { count -= 1 }
      var expected: [Float] = []
      for picture in 0..<2 {
        for row in 0..<count {
          for column in 0..<count {
            let (top, left) = (row * stride - pad, column * stride - pad)
            let (bottom, right) = (
              min(top + kernel, extent + pad), min(left + kernel, extent + pad)
            )
            var sum: Float = 0
            for y in max(top, 0)..<min(bottom, extent) {
              for x0 in max(left, 0)..<min(right, extent) {
                sum += x.floats[(picture * extent + y) * extent + x0]
              }
            }
            expected.append(sum / Float((bottom - top) * (right - left)))
          }
        }
      }
      let got = try output(
        "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' "
          + "pooling_param { pool: AVE kernel_size: \(kernel) stride: \(stride) pad: \(pad) } }", x,
        on: device)
      #expect(got.shape == [2, 1, count, count])
      #expect(areClose(got.floats, expected, tolerance: 1e-5))
    }
  }

  @Test(arguments: TestDevices.ids)
  func neighboursWithinAChannelNormalize(device: String) throws {
    let x = Experiment.draw("x", [1, 2, 4, 4])
    let (alpha, beta) = (Float(0.5), Float(0.75))
    let expected = (0..<32).map { index -> Float in
      let (plane, row, column) = (index / 16, index / 4 % 4, index % 4)
      var sum: Float = 0
      for y in max(row - 1, 0)...min(row + 1, 3) {
        for c in max(column - 1, 0)...min(column + 1, 3) {
          let value = x.floats[plane * 16 + y * 4 + c]
          sum += value * value
        }
      }
      return x.floats[index] * pow(1 + alpha * sum / 9, -beta)
    }
    let got = try output(
      "layer { name: 'n' type: 'LRN' bottom: 'data' top: 'n' lrn_param { local_size: 3 "
        + "alpha: \(alpha) beta: \(beta) norm_region: WITHIN_CHANNEL } }", x, on: device)
    #expect(areClose(got.floats, expected, tolerance: 1e-5))
  }

  @Test(arguments: TestDevices.ids)
  func blocksOfResidualNetsCompute(device: String) throws {
    let x = Experiment.draw("x", [2, 2, 1, 2])
    let got = try output(
      """
      layer { name: "bn" type: "BatchNorm" bottom: "data" top: "bn" batch_norm_param { eps: 0 } }
      layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
      layer { name: "sum" type: "Eltwise" bottom: "bn" bottom: "data" top: "sum"
        eltwise_param { operation: SUM coeff: 1 coeff: -2 } }
      """, x,
      weights: [
        "bn.running_mean": [1, 2], "bn.running_var": [4, 0.25], "scale.weight": [3, 5],
        "scale.bias": [0.5, -0.5],
      ], on: device)
    let expected = x.floats.enumerated().map { index, value -> Float in
      index / 2 % 2 == 0
        ? (value - 1) / 2 * 3 + 0.5 - 2 * value : (value - 2) / 0.5 * 5 - 0.5 - 2 * value
    }
    #expect(areClose(got.floats, expected, tolerance: 1e-4))
  }

  @Test func fillersStartParameters() throws {
    func initializer(_ filler: String) throws -> Initializer {
      let model = try model(
        net(
          [6, 4, 4],
          "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param "
            + "{ num_output: 8 kernel_size: 2 weight_filler { \(filler) } } }"))
      return try model.inferenceGraph(batchSize: 1).context.parameters[0].initializer
    }
    #expect(try initializer("type: 'constant' value: 3") == .constant(3))
    #expect(try initializer("type: 'gaussian' std: 0.5") == .normal(deviation: 0.5))
    #expect(try initializer("type: 'uniform' min: -2 max: 2") == .uniform(bound: 2))
    #expect(try initializer("type: 'xavier'") == .uniform(bound: Float(3.0 / 24).squareRoot()))
    #expect(
      try initializer("type: 'msra' variance_norm: FAN_OUT")
        == .normal(deviation: Float(2.0 / 32).squareRoot()))
  }

  @Test func theOldFormIsRead() throws {
    let text = """
      input: "data" input_dim: 1 input_dim: 1 input_dim: 6 input_dim: 6
      layers { name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip" blobs_lr: 1 blobs_lr: 2
        weight_decay: 1 weight_decay: 0 inner_product_param { num_output: 4 } }
      layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" }
      """
    let model = try model(text)
    #expect(model.inputShape == [1, 6, 6])
    #expect(model.outputs == ["ip"] && model.notes.count == 1)
    let settings = try withFile(text) { try CaffeNetwork.settings(contentsOf: $0) }
    #expect(settings["param_groups"] == .string("ip.bias:lr=2.0,decay=0.0"))
  }

  // MARK: Solvers

  private func solver(_ text: String) throws -> CaffeSolver {
    try withFile("net: 'n.prototxt' \(text)", "s.prototxt") { try CaffeSolver(contentsOf: $0) }
  }

  @Test func policiesAreSchedules() throws {
    func rate(_ text: String, at step: Int) throws -> Double {
      let settings = try solver("base_lr: 0.1 max_iter: 100 \(text)").settings
      let configuration = try TrainingConfiguration(
        settings.merging(["data": .string("mnist"), "model": .string("lenet5")]) { $1 })
      // An epoch of 7 steps: nothing depends on it.
      return try configuration.makeSchedule().rate(step: step, stepsPerEpoch: 7, totalSteps: 100)
    }
    let steps = "lr_policy: 'multistep' gamma: 0.5 stepvalue: 10 stepvalue: 30"
    for (policy, step, expected) in [
      ("lr_policy: 'fixed'", 60, 0.1),
      ("lr_policy: 'step' gamma: 0.5 stepsize: 20", 39, 0.05),
      ("lr_policy: 'step' gamma: 0.5 stepsize: 20", 40, 0.025),
      (steps, 29, 0.05), (steps, 30, 0.025),
      ("lr_policy: 'exp' gamma: 0.99", 50, 0.1 * pow(0.99, 50)),
      ("lr_policy: 'inv' gamma: 0.01 power: 0.75", 50, 0.1 * pow(1.5, -0.75)),
      ("lr_policy: 'poly' power: 2", 50, 0.1 * 0.25),
    ] {
      let got = try rate(policy, at: step)
      #expect(abs(got - expected) < 1e-12, "\(policy) at \(step)")
    }
  }

  @Test(
    arguments: [
      ("momentum: 0.9", Optimizer.sgd(momentum: 0.9, weightDecay: 0.01)),
      ("type: 'Nesterov' momentum: 0.5", .sgd(momentum: 0.5, isNesterov: true, weightDecay: 0.01)),
      ("type: 'AdaGrad'", .adagrad(epsilon: 1e-8, weightDecay: 0.01)),
      (
        "solver_type: RMSPROP rms_decay: 0.98",
        .rmsprop(alpha: 0.98, epsilon: 1e-8, weightDecay: 0.01)
      ),
      (
        "type: 'AdaDelta' momentum: 0.95 delta: 1e-6",
        .adadelta(rho: 0.95, epsilon: 1e-6, weightDecay: 0.01)
      ),
      (
        "type: 'Adam' momentum: 0.9 momentum2: 0.99",
        .adam(beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01)
      ),
    ])
  func typesAreOptimizers(text: String, optimizer: Optimizer) throws {
    let settings = try solver("base_lr: 0.1 weight_decay: 0.01 \(text)").settings
    let configuration = try TrainingConfiguration(
      settings.merging(["data": .string("mnist"), "model": .string("lenet5")]) { $1 })
    #expect(try configuration.makeOptimizer() == optimizer)
  }

  // MARK: Faults

  @Test func whatIsWrongHasItsLine() throws {
    #expect(fault("name: 'a'\nlayer {\n  name: 'b'\n  type:\n}").hasPrefix(":5: "))
    #expect(fault("name: 'a'\n\nlayers: 3").hasPrefix(":3: layers: expected a message"))
    #expect(fault("nam: 'a'").hasSuffix("no field 'nam'; did you mean 'name'?"))
    #expect(fault("layer { name: 'x'").contains(":1: the file ends inside a message"))
    let wrong = net([1, 8, 8], "layer { name: 'x' type: 'Convolutio' bottom: 'data' top: 'x' }")
    #expect(
      fault(wrong)
        == ":3: layer 'x' (Convolutio): the type is not known; did you mean 'Convolution'?")
    #expect(
      fault(net([1, 8, 8], "layer { name: 'x' type: 'ReLU' bottom: 'y' top: 'x' }"))
        .contains("bottom 'y' is the top of no layer before it"))
    #expect(
      fault(
        net(
          [1, 8, 8],
          "layer { name: 'x' type: 'Pooling' bottom: 'data' top: 'x' pooling_param { kernel_size: 9 } }"
        )
      ).contains(":3: layer 'x' (Pooling): "))
    #expect(
      fault(
        net(
          [1, 8, 8],
          "layer { name: 'x' type: 'EuclideanLoss' bottom: 'data' bottom: 'label' top: 'x' }")
      ).contains("a loss that is not trained here"))
    #expect(fault(String(repeating: "layer { ", count: 2000)).contains("messages inside messages"))
    #expect(throws: TernError.self) { try solver("lr_policy: 'sometimes'") }
    #expect(throws: TernError.self) { try solver("base_rl: 3") }
  }

  /// Cut at every length, and with bits flipped in every byte: a network, or one line.
  @Test func damagedFilesAreOneLine() throws {
    let net = [UInt8](
      self.net(
        [1, 4, 4],
        "layer { name: 'f' type: 'InnerProduct' bottom: 'data' top: 'f' param { lr_mult: 2 }\n"
          + "inner_product_param { num_output: 2 weight_filler { type: 'xavier' } } }"
      ).utf8)
    let solver = [UInt8](
      "net: 'n.prototxt' base_lr: 0.1 lr_policy: 'step' gamma: 0.5\nstepsize: 3 max_iter: 9".utf8)
    let workspace = try Workspace()
    defer { workspace.remove() }
    let path = workspace.file("damaged.prototxt")
    func attempt(_ bytes: [UInt8], _ body: () throws -> Void) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do { try body() } catch let error as TernError {
        #expect(error.kind == .badData)
        #expect(!error.message.contains("\n"))
      }
    }
    for (bytes, read) in [
      (net, { _ = try CaffeNetwork.model(contentsOf: path, inputShape: [1, 4, 4]) }),
      (solver, { _ = try CaffeSolver(contentsOf: path) }),
    ] as [([UInt8], () throws -> Void)] {
      for length in bytes.indices { try attempt(Array(bytes[..<length]), read) }
      for index in bytes.indices {
        for mask: UInt8 in [0x01, 0x10, 0x80, 0xFF] {
          var damaged = bytes
          damaged[index] ^= mask
          try attempt(damaged, read)
        }
      }
    }
  }

  // MARK: Weights

  /// A layer of a file of weights; of old, types are numbers and shapes have four extents.
  private func layer(
    _ name: String, _ type: String, _ blobs: [([Int], [Float])], isOld: Bool = false
  ) -> Data {
    var layer = WireWriter()
    layer.string(isOld ? 4 : 1, name)
    if !isOld { layer.string(2, type) }
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
    func attempt(_ damaged: Data) throws {
      try damaged.write(to: URL(fileURLWithPath: path))
      do { _ = try CaffeWeights.weights(contentsOf: path) } catch let error as TernError {
        #expect(error.kind == .badData)
        #expect(!error.message.contains("\n"))
      }
    }
    for length in data.indices { try attempt(data[..<length]) }
    for index in data.indices {
      for mask: UInt8 in [0x01, 0x80, 0xFF] {
        var damaged = data
        damaged[index] ^= mask
        try attempt(damaged)
      }
    }
  }
}
