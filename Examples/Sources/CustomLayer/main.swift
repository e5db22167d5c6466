// A layer and a loss of one's own, arrays as data; trained, saved, loaded, and asked.
import Foundation
import Tern

/// x · scale + shift, both learned, one for each feature: [N, D] → [N, D].
struct ScaleAndShift: Layer {
  let kind = "scale_and_shift"
  func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let size = inputs[0].shape[1]
    let scale = try context.parameter("scale", [size], .ones)
    return try inputs[0] * scale + context.parameter("shift", [size], .zeros)
  }
}

// log cosh(error) + log 2: squared near 0, absolute far out.
let objective = Supervised { outputs, targets in
  let error = try outputs[0] - targets
  return try (error + error.affine(scale: -2).softplus()).mean()
}

// y = 3·sin a + b, at 512 points.
let points = (0..<1024).map { Float($0 * $0 * 389 % 1021) / 256 - 2 }
let numbers = stride(from: 0, to: 1024, by: 2).map { 3 * sin(points[$0]) + points[$0 + 1] }
let set = ValueDataset(values: points, numbers: numbers, sampleShape: [2], targetNames: ["y"])
let layers = Sequential {
  ScaleAndShift()
  Linear(64)
  Functional("tanh")
  Linear(1)
}
let model = Model(name: "wave", inputShape: [2], classCount: 1, layers: layers)
let device = try DeviceCatalog.standard.open()
let options = TrainingLoop.Options(epochs: 60, optimizer: .adam(), learningRate: 0.01)
let loop = try TrainingLoop(
  model, objective: objective, data: TrainingData(set), on: device, options: options)
for _ in 0..<60 { try loop.trainEpoch() }
try loop.saveWeights(to: "wave.safetensors")
let network = try TrainedNetwork(model, weights: "wave.safetensors", on: device)
let point = HostTensor([1, 2], [Float(1), 0.5])
print("3·sin 1 + 0.5 = 3.024, learnt:", try network(point)[0].floats[0])
