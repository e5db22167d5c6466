import TernCore
import TernGraph
import TernRuntime

/// One of the three computations that a convolution's geometry stands for.
enum ConvolutionPass: String, Hashable, Sendable, CaseIterable {
  case forward
  case backwardInput = "backward_data"
  case backwardWeight = "backward_weights"
}

/// What a convolution algorithm is asked to compute; the key of every choice among them.
struct ConvolutionProblem: Hashable, Sendable {
  let geometry: Conv2DGeometry
  let pass: ConvolutionPass
  /// Whether the forward pass adds a bias.
  var hasBias = false
  /// Whether the gradient of the weight comes with that of a bias, the sum of the output's.
  var sumsGradient = false
  /// What the tensors that are multiplied are stored in.
  var dataType = DataType.float32

  /// Channels of a group.
  var inputs: Int { geometry.inChannels / geometry.groups }
  var outputs: Int { geometry.outChannels / geometry.groups }
  var taps: Int { geometry.kernelHeight * geometry.kernelWidth }

  /// The problem in a line, as the tuner stores it.
  var description: String { description(batch: nil) }

  /// What tables depend on: all but the batch.
  var tableKey: String { description(batch: "") }

  private func description(batch: String?) -> String {
    geometry.problemDescription(pass: pass.rawValue, hasBias: hasBias, batch: batch)
      + (dataType == .float32 ? "" : " \(dataType)")
  }
}

/// The tensors of a convolution. A pass reads two of the three and writes the third, or its gradient.
struct ConvolutionOperands {
  /// [N, C, H, W]
  let input: View
  /// [O, C/groups, KH, KW]
  let weight: View
  /// [N, O, OH, OW]
  let output: View
  /// [O]: of the forward pass, or its gradient with that of the weight.
  var bias: View?
  /// What else is done to what is written, of its shape.
  var epilogue = Epilogue()
}
