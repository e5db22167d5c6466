import TernCore

extension Operations {
  /// A product of matrices, a convolution or what spreads a gradient over a plane, with what is done to its
  /// results while they are at hand. Made by ``Graph/fusingEpilogues()``.
  ///
  /// Inputs: those of the product, then, where there are such, a tensor that is added and the output of a relu
  /// whose gradient this is, both of the result's shape.
  package struct ProductWithEpilogue: Operation {
    /// What it is the end of.
    package enum Base: Hashable, Sendable {
      case conv2D(Conv2D)
      case conv2DBackwardInput(Conv2DBackwardInput)
      case linear(Linear)
      case matMul(MatMul)
      case adaptiveAvgPool2DBackward(AdaptiveAvgPool2DBackward)

      init?(_ operation: any Operation) {
        switch operation {
        case let convolution as Conv2D: self = .conv2D(convolution)
        case let gradient as Conv2DBackwardInput: self = .conv2DBackwardInput(gradient)
        case let linear as Linear: self = .linear(linear)
        case let product as MatMul: self = .matMul(product)
        case let gradient as AdaptiveAvgPool2DBackward:
          self = .adaptiveAvgPool2DBackward(gradient)
        default: return nil
        }
      }

      package var operation: any Operation {
        switch self {
        case .conv2D(let convolution): convolution
        case .conv2DBackwardInput(let gradient): gradient
        case .linear(let linear): linear
        case .matMul(let product): product
        case .adaptiveAvgPool2DBackward(let gradient): gradient
        }
      }
    }

    /// What becomes of a sum before it is stored.
    package enum Activation: Hashable, Sendable {
      case relu
      /// Zero where the output of a relu is.
      case reluBackward
    }

    package let base: Base
    package let addsTensor: Bool
    package let activation: Activation?

    package var name: String {
      let activation =
        switch activation {
        case .relu: "_relu"
        case .reluBackward: "_relu_backward"
        case nil: ""
        }
      return base.operation.name + (addsTensor ? "_add" : "") + activation
    }
    package var detail: String { base.operation.detail }

    /// The inputs behind those of the product.
    package var addedInputCount: Int {
      (addsTensor ? 1 : 0) + (activation == .reluBackward ? 1 : 0)
    }

    package func outputTypes(for inputs: [TensorType]) throws(ShapeError) -> [TensorType] {
      let outputs = try base.operation.outputTypes(for: inputs.dropLast(addedInputCount))
      for input in inputs.suffix(addedInputCount) {
        try expectFloat(input, "addend or mask")
        try expectShape(input, outputs[0].shape, "addend or mask")
      }
      return outputs
    }

    package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
      var cost = base.operation.cost(
        inputs: inputs.dropLast(addedInputCount), outputs: outputs)
      cost.bytes += addedInputCount * outputs[0].byteCount
      return cost
    }

    package func decomposition(_ inputs: [Tensor]) throws -> [Tensor]? {
      let added = inputs.suffix(addedInputCount)
      var result = try inputs[0].builder.apply(
        base.operation, inputs.dropLast(addedInputCount))[0]
      if addsTensor { result = try result + added.first! }
      switch activation {
      case .relu: result = try result.relu()
      case .reluBackward: result = try result.apply(UnaryBackward(.relu), added.last!)
      case nil: break
      }
      return [result]
    }
  }
}
