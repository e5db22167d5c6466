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
}
