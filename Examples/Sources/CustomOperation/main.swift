// An operation that Tern does not know: said in operations that it knows, it runs on every device, and is
// differentiated.
import Tern

/// x · tanh(log(1 + eˣ)). Misra, "Mish", 2019. Input: [*] → [*].
struct Mish: Operation {
  var name: String { "mish" }

  func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] { [inputs[0]] }

  func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
    [try inputs[0] * inputs[0].softplus().tanh()]
  }
}

let builder = GraphBuilder()
let x = try builder.input("x", [3])
let y = try builder.apply(Mish(), [x])[0]
builder.output("y", y)
builder.output("dy/dx", try builder.gradients(of: y.sum(), withRespectTo: [x])[0]!)

for name in ["reference", "cpu"] {
  let session = Session(device: try DeviceCatalog.standard.open(name))
  let outputs = try session.compile(builder.graph).run(["x": HostTensor([3], [Float(-1), 0, 2])])
  print(name, outputs["y"]!.floats, outputs["dy/dx"]!.floats)
}
