import CMicrokernels
import TernCore
import TernGraph
import TernRuntime

/// The ways in which the CPU computes a pass of a convolution, and what each is taken to cost.
///
/// Costs are counted in multiplications and additions of oneDNN's blocked kernels on sixteen channels at
/// a time. Where two ways are close, their order is an estimate; `tern tune --device cpu` measures.
enum ConvolutionCandidates {
  /// oneDNN's direct kernels in the formats that suit the channels.
  static let library = "onednn"
  /// The same by Winograd's algorithm.
  static let winograd = "winograd"
  /// The gradient of the weights by parts of the batch; see ``WeightGradientParts``.
  static let parts = "onednn parts"
  /// ``PairedConvolution``.
  static let paired = "paired"
  /// The gradient of its weights by parts of the batch.
  static let pairedParts = "paired parts"
  /// ``TiledWeightGradient``.
  static let tiles = "tiles"

  static func isPaired(_ name: String) -> Bool { name == paired || name == pairedParts }
}

extension Conv2DGeometry {
  /// A pass as the tuner keeps it.
  private func description(_ pass: ConvolutionPass, _ type: DataType) -> String {
    let name =
      switch pass {
      case .forward: "forward"
      case .backwardInput: "backward_data"
      case .backwardWeight: "backward_weights"
      }
    return problemDescription(pass: type == .float32 ? name : "\(name) \(type)")
  }

  /// The ways to compute a pass, Tern's own in front of the library's that cost the same. Of numbers of 16 bits
  /// there are the library's direct kernels alone.
  ///
  /// - Parameter covers: whether a way is possible with the tensors as they are stored.
  func candidates(
    _ pass: ConvolutionPass, _ type: DataType, _ context: CPUContext,
    where covers: (String) -> Bool = { _ in true }
  ) -> CandidateProblem {
    typealias Names = ConvolutionCandidates
    var candidates: [Candidate] = []
    func add(_ name: String, if isThere: Bool = true, cost: @autoclosure () -> Double) {
      let isOfType = type == .float32 || name == Names.library || name == Names.parts
      if isThere, isOfType, covers(name) { candidates.append(Candidate(name, cost: cost())) }
    }
    let pair = pairedGeometry(pass).map(pairedFlops)
    let (cuts, library) = (cutsBatch(context), libraryFlops(pass))
    if pass == .backwardWeight {
      let (parts, waiting) = (partsFlops(context), waitingFlops(context))
      add(Names.pairedParts, if: pair != nil && cuts, cost: pair! + parts)
      add(Names.paired, if: pair != nil, cost: pair! + waiting)
      add(
        Names.tiles, if: TiledWeightGradient.covers(self),
        cost: TiledWeightGradient.flops(self, context))
      add(Names.parts, if: cuts, cost: library + parts)
      add(Names.library, cost: library + waiting)
    } else {
      add(Names.paired, if: pair != nil, cost: pair!)
      add(Names.library, cost: library)
      add(Names.winograd, if: allowsWinograd, cost: winogradFlops(pass))
    }
    return CandidateProblem(description(pass, type), candidates)
  }

  /// The convolution whose columns are paired; `nil` where a pass has none, or the processor no kernels.
  private func pairedGeometry(_ pass: ConvolutionPass) -> Conv2DGeometry? {
    // oneDNN's kernels for pairs take AVX-512; without, it has its reference alone, a thousand times slower.
    guard tern_has_avx512() else { return nil }
    let isImage = inChannels <= 3 && groups == 1
    if pass == .backwardInput { return isImage ? nil : PairedConvolution.inputGradient(of: self) }
    return isImage && PairedConvolution.fits(self) ? self : nil
  }

  /// Two columns of eight channels fill a block; the kernel is wider by a stride. What the convolution of an
  /// input's gradient would compute of its padding is skipped, so that it counts as the pass does.
  private func pairedFlops(_ g: Conv2DGeometry) -> Double {
    let share = Double(g.kernelWidth + g.window.strideWidth) / Double(2 * g.kernelWidth)
    return Double(flops) * Double(16) / Double(g.outChannels) * share
  }

  /// Blocks of sixteen channels are computed whole. Sums of weights' gradients are kept in registers over a
  /// row of pixels where the kernel has a stride.
  private func libraryFlops(_ pass: ConvolutionPass) -> Double {
    let computed = pass == .backwardInput ? inChannels : outChannels
    let whole = Double((computed + 15) / 16 * 16) / Double(computed)
    let isStrided = max(window.strideHeight, window.strideWidth) > 1
    let sums = pass == .backwardWeight && isStrided ? 7 / Double(outWidth) : 0
    return Double(flops) * (groups > 1 ? 1 : whole) * (1 + sums)
  }

  /// F(4×4, 3×3) takes a quarter of the multiplications. Transforming the weights costs what 64 tiles
  /// save, transforming the tensors what 64 channels save. Its rounding error is about 10⁻⁵ of the output's
  /// standard deviation.
  ///
  /// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
  private func winogradFlops(_ pass: ConvolutionPass) -> Double {
    let tiles = batch * ((outHeight + 3) / 4) * ((outWidth + 3) / 4)
    let transforms = 64 / Double(min(inChannels, outChannels, tiles))
    return libraryFlops(pass) * (0.25 + 0.7499 * transforms)
  }

  /// Whether Winograd's algorithm pays, where it is no candidate of its own.
  var suitsWinograd: Bool {
    allowsWinograd && winogradFlops(.backwardWeight) < libraryFlops(.backwardWeight)
  }

  /// Whether the batch may be cut, so that no thread waits for another.
  private func cutsBatch(_ context: CPUContext) -> Bool { min(context.threads.count, batch) > 1 }

  /// What parts of the batch cost: a float of the weights for each of them is written, read and added.
  private func partsFlops(_ context: CPUContext) -> Double {
    240 * Double(weightShape.elementCount * min(context.threads.count, batch))
  }

  /// What oneDNN's threads spend waiting for one another.
  private func waitingFlops(_ context: CPUContext) -> Double {
    cutsBatch(context) ? 0.2 * Double(flops) : 0
  }
}

extension CPUContext {
  /// The way that computes a pass, where the user asked for no algorithm.
  func choice(_ geometry: Conv2DGeometry, _ pass: ConvolutionPass) -> String {
    candidates.choice(of: geometry.candidates(pass, .float32, self)).name
  }
}
