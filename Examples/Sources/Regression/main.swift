// Least squares by gradient descent: minutes of a commute from its distance and whether it is a weekday.
import Tern

let features: [Float] = [2.7, 1, 4.1, 1, 1.0, 0, 5.2, 1, 2.8, 0]
let set = ValueDataset(
  values: features, numbers: [25, 33, 15, 45, 22], sampleShape: [2], targetNames: ["minutes"])
let model = try Model.named("linear", inputShape: [2], classCount: 1, task: .regression)
let options = TrainingLoop.Options(
  batchSize: 5, epochs: 3000, optimizer: .sgd(momentum: 0.9), learningRate: 0.02)
let loop = try TrainingLoop(
  model, data: TrainingData(set), on: DeviceCatalog.standard.open("cpu"), options: options)
for _ in 0..<options.epochs { try loop.trainEpoch() }
let weights = try loop.weights()
print("minutes =", weights["fc.bias"]!.floats[0], "+", weights["fc.weight"]!.floats, "· features")
print("mean squared error", try loop.evaluate().means["mse"]!)
