// The table of the autocast: what is stored in 16 bits. Products and convolutions are, what moves or selects
// numbers follows its inputs, sums read what there is and are float32. The rest (softmax, losses, powers, updates)
// is float32, and so is an operation without an entry.

extension Operations.Conv2D { package var autocastRule: AutocastRule { .half([0, 1]) } }
extension Operations.Conv2DBackwardInput {
  package var autocastRule: AutocastRule { .half([0, 1]) }
}
extension Operations.Conv2DBackwardWeight {
  package var autocastRule: AutocastRule { .half([0, 1]) }
}
extension Operations.MatMul { package var autocastRule: AutocastRule { .half([0, 1]) } }
extension Operations.Linear { package var autocastRule: AutocastRule { .half([0, 1]) } }
extension Operations.Attention { package var autocastRule: AutocastRule { .half([0, 1, 2]) } }
extension Operations.AttentionBackward {
  package var autocastRule: AutocastRule { .half([0, 1, 2, 3, 4]) }
}

// Normalised values have 16 bits where what comes in is; statistics, scales and shifts are float32.
extension Operations.BatchNorm { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.BatchNormBackward { package var autocastRule: AutocastRule { .lead(1, [0]) } }
extension Operations.NormalizeRows { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.NormalizeRowsBackward {
  package var autocastRule: AutocastRule { .lead(1, [0]) }
}

extension Operations.Unary {
  package var autocastRule: AutocastRule { function.staysHalf ? .follow([0]) : .full }
}
extension Operations.UnaryBackward {
  package var autocastRule: AutocastRule { function.staysHalf ? .lead(1, [0]) : .full }
}
extension Operations.Unary.Function {
  /// Whether rounded arguments cost no more than a rounded result: not so for functions that stretch their
  /// argument or leave the range of float16.
  fileprivate var staysHalf: Bool {
    switch self {
    case .relu, .leakyReLU, .elu, .gelu, .silu, .sigmoid, .tanh, .hardtanh, .abs, .clamp, .affine:
      true
    case .softplus, .exp, .log, .sqrt, .rsqrt, .reciprocal, .square, .pow: false
    }
  }
}
extension Operations.Binary {
  package var autocastRule: AutocastRule {
    switch function {
    case .add, .sub, .mul, .maximum, .minimum: .follow([0, 1])
    case .div, .heaviside, .equal: .full
    }
  }
}

// What is added up is added up in float32, and stays so.
extension Operations.Reduce { package var autocastRule: AutocastRule { .follow([0]) } }

extension Operations.Permute { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.Cat { package var autocastRule: AutocastRule { .followAll } }
extension Operations.Narrow { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.Pad { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.PadBackward { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.Expand { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.Dropout { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.Interpolate { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.InterpolateBackward { package var autocastRule: AutocastRule { .follow([0]) } }

extension Operations.MaxPool2D { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.MaxPool2DBackward { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.AvgPool2D { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.AvgPool2DBackward { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.AdaptiveAvgPool2D { package var autocastRule: AutocastRule { .follow([0]) } }
extension Operations.AdaptiveAvgPool2DBackward {
  package var autocastRule: AutocastRule { .follow([0]) }
}
