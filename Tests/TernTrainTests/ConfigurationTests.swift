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

  @Test func faultsNameTheSetting() {
    let cases: [([String: AttributeValue], String)] = [
      (["batch_size": .int(0)], "batch-size"),
      (["batch_siz": .int(1)], "did you mean 'batch_size'"),
      (["epochs": .string("many")], "epochs"), (["lr": .double(-1)], "lr"),
      (["optimizer": .string("adma")], "adma"), (["schedule": .string("cosin")], "cosin"),
      (["momentum": .double(1.5)], "momentum"),
      (["monitor": .string("val_loss")], "validation-split"),
      (["seed": .int(-1)], "seed"), (["validation_split": .double(1)], "validation-split"),
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
