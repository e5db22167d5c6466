// Trains LeNet-5 on Fashion-MNIST, on the best device there is.
import Tern

let data = try TrainingData(.open("fashion-mnist"))
let loop = try TrainingLoop(.named("lenet5"), data: data, on: DeviceCatalog.standard.open())
for epoch in 1...2 {
  let loss = try loop.trainEpoch()["loss"]!
  print("epoch \(epoch): loss \(loss), test accuracy \(try loop.evaluate().accuracy)")
}
try loop.saveWeights(to: "lenet5.safetensors")
