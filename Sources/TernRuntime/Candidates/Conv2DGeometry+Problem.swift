import TernGraph

extension Conv2DGeometry {
  /// A pass of the convolution in a line, as choices among its candidates are kept.
  ///
  /// - Parameter batch: the batch, or what stands for any.
  package func problemDescription(pass: String, hasBias: Bool = false, batch: String? = nil)
    -> String
  {
    let w = window
    return
      "conv2d \(pass) \(batch ?? "\(self.batch)")x\(inChannels)x\(inHeight)x\(inWidth) "
      + "o\(outChannels) k\(kernelHeight)x\(kernelWidth) s\(w.strideHeight)x\(w.strideWidth) "
      + "p\(w.paddingHeight)x\(w.paddingWidth) d\(w.dilationHeight)x\(w.dilationWidth) "
      + "g\(w.groups)" + (hasBias ? " bias" : "")
  }
}
