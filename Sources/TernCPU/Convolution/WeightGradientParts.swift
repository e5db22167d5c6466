import COneDNN
import TernCore
import TernGraph

/// The gradient of a convolution's weights as a sum over parts of the batch, each computed by a primitive of
/// oneDNN for one thread.
///
/// oneDNN's primitives for several threads have them wait for one another inside, spinning: where other
/// programs use the cores too, until the system runs the one that is waited for. Parts that need nothing of
/// each other are run by whoever is free. They are added in order, so the bits do not depend on who was.
struct WeightGradientParts {
  private let descriptors: [PrimitiveDescriptor]
  private let counts: [Int]
  private let threads: Threads

  /// The images of each part.
  private static func counts(_ geometry: Conv2DGeometry, _ threads: Threads) -> [Int] {
    let count = min(threads.count, geometry.batch)
    let even = (geometry.batch + count - 1) / count
    return stride(from: 0, to: geometry.batch, by: even).map { min(even, geometry.batch - $0) }
  }

  /// - Parameters:
  ///   - isCut: whether the batch is cut; see ``ConvolutionCandidates``.
  ///   - make: the primitive for so many images; all of them store the weights alike.
  init(
    _ geometry: Conv2DGeometry, _ context: CPUContext, isCut: Bool,
    _ make: (_ batch: Int) throws -> PrimitiveDescriptor
  ) throws {
    threads = context.threads
    let counts = isCut ? Self.counts(geometry, threads) : [geometry.batch]
    self.counts = counts
    descriptors =
      counts.count == 1
      ? [try make(counts[0])] : try threads.onOneThread { try counts.map(make) }
  }

  var implementation: String {
    descriptors[0].implementation + (counts.count > 1 ? " \(counts.count) parts" : "")
  }

  /// The weights as every part stores them.
  var weights: MemoryDescriptor { descriptors[0].descriptor(of: .weightsGradient) }

  // MARK: - Memory

  private static func aligned(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }
  private func scratchpad(_ part: Int) -> Int {
    Self.aligned(descriptors[part].scratchpadByteCount)
  }
  private var weightByteCount: Int { Self.aligned(weights.byteCount) }
  private func biasByteCount(_ count: Int) -> Int { Self.aligned(4 * count) }

  func workspaceByteCount(biasCount: Int) -> Int {
    counts.indices.reduce(0) { $0 + scratchpad($1) }
      + (counts.count - 1) * (weightByteCount + biasByteCount(biasCount))
  }

  /// - Parameters:
  ///   - biasCount: 0 where there is no bias.
  ///   - workspace: of ``workspaceByteCount(biasCount:)``.
  func bind(
    source: UnsafeMutableRawPointer, destinationGradient: UnsafeMutableRawPointer,
    weights: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>?, biasCount: Int,
    workspace: UnsafeMutableRawPointer?
  ) throws -> Step {
    var place = workspace
    func room(_ byteCount: Int) -> UnsafeMutableRawPointer? {
      defer { place = place.map { $0 + byteCount } }
      return place
    }
    var image = 0
    var results: [(weights: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>?)] = []
    let primitives = try counts.indices.map { part in
      let descriptor = descriptors[part]
      func images(_ argument: PrimitiveArgument) -> Int {
        let tensor = descriptor.descriptor(of: argument)
        return tensor.elementByteCount * image * tensor.blocking.strides[0]
      }
      let scratchpad = room(scratchpad(part))
      func result(_ own: UnsafeMutablePointer<Float>?, _ byteCount: Int)
        -> UnsafeMutablePointer<Float>?
      {
        part == 0 ? own : room(byteCount)?.assumingMemoryBound(to: Float.self)
      }
      let target = result(weights, weightByteCount)!
      let targetBias = bias == nil ? nil : result(bias, biasByteCount(biasCount))
      results.append((target, targetBias))
      var memory: [(PrimitiveArgument, UnsafeMutableRawPointer)] = [
        (.source, source + images(.source)),
        (.destinationGradient, destinationGradient + images(.destinationGradient)),
        (.weightsGradient, UnsafeMutableRawPointer(target)),
      ]
      if let targetBias { memory.append((.biasGradient, UnsafeMutableRawPointer(targetBias))) }
      image += counts[part]
      let make = { try Primitive(descriptor, memory, scratchpad: scratchpad) }
      return try counts.count == 1 ? make() : threads.onOneThread(make)
    }
    guard primitives.count > 1 else { return { try primitives[0].execute() } }
    let run = threads.sideBySide(primitives.map { primitive in { try primitive.execute() } })
    let others = Array(results.dropFirst())
    let add = threads.elementwise(self.weights.byteCount / 4) { range in
      for other in others {
        forEachLanes(in: range) { $0.store($0.load(weights) + $0.load(other.weights), weights) }
      }
    }
    return {
      try run()
      try add()
      guard let bias else { return }
      for other in others {
        for channel in 0..<biasCount { bias[channel] += other.bias![channel] }
      }
    }
  }
}
