import TernCore
import TernGraph

/// A convolution in which each output channel reads only some of the input channels.
///
/// Its weight is [L, K, K] for L links in the order of the table, its bias [O].
public struct TableConvolution: Layer {
  /// Per output channel: the input channels it reads.
  package let table: [[Int]]
  package let kernel: Int

  /// Per output channel the input channels that it reads; the kernel is square.
  public init(_ table: [[Int]], kernel: Int) {
    self.table = table
    self.kernel = kernel
  }

  public var kind: String { "table_convolution" }

  public func forward(_ inputs: [Tensor], in context: LayerContext) throws -> Tensor {
    let x = inputs[0]
    let channels = table.flatMap(\.self).max()! + 1
    guard x.shape.rank == 4, x.shape[1] == channels else {
      throw ShapeError(kind, "input", expected: "shape [N, \(channels), H, W]", got: "\(x.shape)")
    }
    let area = kernel * kernel
    let fanIn = table.map(\.count).max()! * area
    let links = table.enumerated().flatMap { output, inputs in inputs.map { (output, $0) } }
    let weight = try context.parameter(
      "weight", [links.count, kernel, kernel], .inverseSqrt(fanIn: fanIn))
    let bias = try context.parameter("bias", [table.count], .inverseSqrt(fanIn: fanIn))
    // A product with a matrix of zeros and ones puts each link at its place in [O, C, K, K].
    var places = [Float](repeating: 0, count: table.count * channels * links.count)
    for (link, (output, input)) in links.enumerated() {
      places[(output * channels + input) * links.count + link] = 1
    }
    let dense = try context.builder.constant(
      HostTensor([table.count * channels, links.count], places)
    ).matmul(weight.reshape([links.count, area]))
    let y = try x.conv2d(
      weight: dense.reshape([table.count, channels, kernel, kernel]), bias: bias)
    context.recordWindow(y, from: x, kernel: kernel, stride: 1, dilation: 1)
    return y
  }
}
