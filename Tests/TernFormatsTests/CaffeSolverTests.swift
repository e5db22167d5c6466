import Foundation
import Tern
import TernCore
import TernTestSupport
import Testing

@testable import TernFormats

/// Caffe's solvers become settings of a run.
@Suite struct CaffeSolverTests {
  @Test func policiesAreSchedules() throws {
    func rate(_ text: String, at step: Int) throws -> Double {
      let settings = try CaffeFixture.solver("base_lr: 0.1 max_iter: 100 \(text)").settings
      let configuration = try TrainingConfiguration(
        settings.merging(["data": .string("mnist"), "model": .string("lenet5")]) { $1 })
      // An epoch of 7 steps: nothing depends on it.
      return try configuration.makeSchedule().rate(step: step, stepsPerEpoch: 7, totalSteps: 100)
    }
    let steps = "lr_policy: 'multistep' gamma: 0.5 stepvalue: 10 stepvalue: 30"
    let rates: [(String, Int, Double)] = [
      ("lr_policy: 'fixed'", 60, 0.1),
      ("lr_policy: 'step' gamma: 0.5 stepsize: 20", 39, 0.05),
      ("lr_policy: 'step' gamma: 0.5 stepsize: 20", 40, 0.025),
      (steps, 29, 0.05), (steps, 30, 0.025),
      ("lr_policy: 'exp' gamma: 0.99", 50, 0.1 * pow(0.99, 50)),
      ("lr_policy: 'inv' gamma: 0.01 power: 0.75", 50, 0.1 * pow(1.5, -0.75)),
      ("lr_policy: 'poly' power: 2", 50, 0.025),
      ("lr_policy: 'sigmoid' gamma: -0.05 stepsize: 30", 30, 0.05),
      ("lr_policy: 'sigmoid' gamma: -0.05 stepsize: 30", 70, 0.1 / (1 + exp(2))),
    ]
    for (policy, step, expected) in rates {
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
    let settings = try CaffeFixture.solver("base_lr: 0.1 weight_decay: 0.01 \(text)").settings
    let configuration = try TrainingConfiguration(
      settings.merging(["data": .string("mnist"), "model": .string("lenet5")]) { $1 })
    #expect(try configuration.makeOptimizer() == optimizer)
  }

  /// A net in the solver's own file, with data of two stages for testing, as BVLC's consolidated example has it.
  @Test func aNetMayStandInTheFile() throws {
    func data(_ source: String, _ include: String) -> String {
      "layers { name: 'd' type: DATA top: 'data' top: 'label' include: { \(include) } "
        + "data_param { source: '\(source)' backend: LMDB batch_size: 64 } }\n"
    }
    let text = """
      base_lr: 0.01
      test_state: { stage: "test-on-test-set" }
      net_param {
        name: "Inner"
        \(data("train_db", "phase: TRAIN"))
        \(data("train_db", "phase: TEST stage: 'test-on-train-set'"))
        \(data("test_db", "phase: TEST stage: 'test-on-test-set'"))
        layers { name: 'ip' type: INNER_PRODUCT bottom: 'data' top: 'ip' inner_product_param { num_output: 3 } }
        layers { name: 'l' type: SOFTMAX_LOSS bottom: 'ip' bottom: 'label' top: 'l' }
      }
      """
    try CaffeFixture.withFile(text, "solver.prototxt") { path in
      let solver = try CaffeSolver(contentsOf: path)
      #expect(solver.settings["model"] == .string(path))
      let settings = try CaffeNetwork.settings(contentsOf: path)
      #expect(settings["data"] == .string("lmdb:train_db,test_db"))
      #expect(settings["batch_size"] == .int(64))
      let model = try CaffeNetwork.model(contentsOf: path, inputShape: [1, 2, 2])
      #expect(model.classCount == 3)
    }
  }

  @Test func weightsStartARunAndStagesOfTrainingAreALine() throws {
    let solver = try CaffeFixture.solver("weights: 'w.caffemodel' train_state { phase: TRAIN }")
    #expect(solver.settings["init"] == .string("w.caffemodel"))
    let error = #expect(throws: TernError.self) {
      try CaffeFixture.solver("base_lr: 1\ntrain_state { stage: 'deep' }")
    }
    #expect(
      error?.message.contains(":2: train_state: a stage of the net is not known here") == true)
  }

  @Test func twoNetsAreOneForTrainingAndOneForTesting() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for name in ["train", "test"] {
      try workspace.write(
        "\(name).prototxt",
        "layer { name: 'd' type: 'HDF5Data' top: 'data' top: 'label' hdf5_data_param { source: '\(name).txt' } }\n"
          + CaffeFixture.product("ip", "data", 2) + CaffeFixture.loss("l", "ip", 1))
    }
    try workspace.write(
      "s.prototxt", "train_net: 'train.prototxt' test_net: 'test.prototxt' base_lr: 1")
    let settings = try CaffeSolver(contentsOf: workspace.file("s.prototxt")).settings
    #expect(settings["data"] == .string("hdf5:train.txt,test.txt"))
    try workspace.write("t.prototxt", "train_net: 'train.prototxt' test_net: 'gone.prototxt'")
    let error = #expect(throws: TernError.self) {
      try CaffeSolver(contentsOf: workspace.file("t.prototxt"))
    }
    #expect(error?.kind == .notFound && error?.message.contains("gone.prototxt") == true)
  }
}
