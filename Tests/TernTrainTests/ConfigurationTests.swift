import Foundation
import Tern
import Testing

@Suite struct ConfigurationTests {
  @Test func settingsSurviveYAML() throws {
    let configuration = try TrainingConfiguration([
      "lr": .double(1e-7), "epochs": .int(3), "shuffle": .bool(false), "model": .string("mlp"),
      "patience": .int(2), "normalize": .string("0.5,0.25"), "weight_decay": .double(0.1),
    ])
    let text = YAML.text(configuration.settings)
    #expect(try TrainingConfiguration(YAML.parseMap(text, file: "config.yaml")) == configuration)
  }

  @Test func whatIsLeftToOptimizerAndScheduleIsResolved() throws {
    let plain = try TrainingConfiguration([:])
    #expect(plain.momentum == 0.9 && plain.weightDecay == 0 && plain.betas == nil)
    #expect(plain.learningRate == 0.03 && plain.scheduleParameters.factor == nil)
    let other = try TrainingConfiguration([
      "optimizer": .string("adamw"), "schedule": .string("plateau"), "decoupled_decay": .bool(true),
    ])
    #expect(other.momentum == nil && other.weightDecay == 0.01 && other.betas == [0.9, 0.999])
    #expect(other.scheduleParameters.factor == 0.5)
    let given = try TrainingConfiguration(["momentum": .double(0), "weight_decay": .double(1e-4)])
    #expect(given.momentum == 0 && given.weightDecay == 1e-4)
    // What is written down is read again as it is.
    for configuration in [plain, other, given] {
      let text = YAML.text(configuration.settings)
      #expect(try TrainingConfiguration(YAML.parseMap(text, file: "config.yaml")) == configuration)
    }
  }

  @Test func aRunMayDecideWhatWasNotAsked() throws {
    let asked = try TrainingConfiguration([:])
    var run = asked
    run.device = "opencl:0.1"
    run.monitor = "test_accuracy"
    #expect(run.isRun(of: asked))
    run.learningRate = 0.1
    #expect(!run.isRun(of: asked))
    let other = try TrainingConfiguration(["device": .string("cpu")])
    #expect(!run.isRun(of: other))
  }

  @Test func faultsNameTheSetting() {
    let cases: [([String: AttributeValue], String)] = [
      (["batch_size": .int(0)], "batch-size"),
      (["batch_siz": .int(1)], "did you mean 'batch_size'"),
      (["epochs": .string("many")], "epochs"), (["lr": .double(-1)], "lr"),
      (["optimizer": .string("adma")], "adma"), (["schedule": .string("cosin")], "cosin"),
      (["momentum": .double(1.5)], "momentum"),
      (["monitor": .string("val_los")], "monitor"),
      (["decoupled_decay": .bool(true)], "decoupled-decay"),
      (["optimizer": .string("adam"), "momentum": .double(0.9)], "momentum: adam has none"),
      (["betas": .list([.double(0.9), .double(0.99)])], "betas: sgd has none"),
      (["warmup_epochs": .double(1e18)], "warmup-epochs"), (["seed": .int(-1)], "seed"),
      (["validation_split": .double(1)], "validation-split"),
      (["nesterov": .bool(true), "momentum": .double(0)], "nesterov"),
      (["workers": .int(0)], "workers"),
    ]
    for (settings, message) in cases {
      let error = #expect(throws: TernError.self) { try TrainingConfiguration(settings) }
      #expect(error?.kind == .usage)
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
  }
}
