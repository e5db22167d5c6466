// A loop of one's own: the learning rate is halved whenever an epoch did not help.
import Tern

let data = try TrainingData(.open("fashion-mnist"))
let device = try DeviceCatalog.standard.open()
let loop = try TrainingLoop(
  .named("linear"), data: data, on: device, options: .init(batchSize: 256))
var rate = 0.05
var best = try loop.evaluate().loss
while rate > 0.01, loop.progress.epoch < 8 {
  let batches = loop.epochBatches()
  while let batch = try batches.next() { try loop.train(on: batch, learningRate: rate) }
  let means = try loop.endEpoch()
  let loss = try loop.evaluate().loss
  print("epoch \(loop.progress.epoch): rate \(rate), loss \(means["loss"]!), test loss \(loss)")
  if loss >= best { rate /= 2 }
  best = min(best, loss)
}
