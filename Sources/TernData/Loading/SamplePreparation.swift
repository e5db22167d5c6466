import TernCore

/// All that happens to a sample between its dataset and a batch.
struct SamplePreparation: Sendable {
  private let normalization: Normalization
  private let scale: ChannelScale
  private let identity: ChannelScale
  private let augmentation: (transforms: Augmentation, draws: Philox, epoch: Int)?
  private let elementCount: Int
  private let planeSize: Int
  private let targetScale: TargetScale?

  init(
    _ dataset: any Dataset, _ normalization: Normalization,
    _ augmentation: (Augmentation, seed: UInt64, epoch: Int)?, targetScale: TargetScale?
  ) {
    self.targetScale = dataset.hasNumericTargets ? targetScale : nil
    self.normalization = normalization
    scale = ChannelScale(normalization, hasBytes: dataset.isPictures)
    identity = ChannelScale.identity(for: dataset)
    elementCount = dataset.sampleShape.elementCount
    planeSize = elementCount / dataset.sampleShape[0]
    self.augmentation = augmentation.flatMap { transforms, seed, epoch in
      transforms.transforms.isEmpty
        ? nil : (transforms, Philox(seed: seed, stream: .augmentation), epoch)
    }
  }

  /// Writes what is to be predicted of a sample, changed as the sample is.
  func copyTarget(
    _ index: Int, of dataset: any Dataset, to destination: UnsafeMutableRawPointer
  ) throws {
    try dataset.copyTarget(index, to: destination)
    targetScale?.apply(to: destination.assumingMemoryBound(to: Float.self))
    guard let augmentation, dataset.targetShape.rank == 2 else { return }
    augmentation.transforms.apply(
      toTarget: destination.assumingMemoryBound(to: Int32.self), dataset.targetShape,
      draws: SampleDraws(augmentation.draws, epoch: augmentation.epoch, sample: index))
  }

  private func copyAugmented(
    _ index: Int, of dataset: any Dataset,
    _ augmentation: (transforms: Augmentation, draws: Philox, epoch: Int),
    to destination: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) throws {
    try augmentation.transforms.copySample(
      index, of: dataset, to: destination, scratch: scratch, identity: identity,
      draws: SampleDraws(augmentation.draws, epoch: augmentation.epoch, sample: index))
  }

  /// The bytes of a sample, where all that happens to it moves them; ``PixelTable`` says what they stand for.
  ///
  /// - Parameter scratch: as large as two samples.
  func copyBytes(
    _ index: Int, of dataset: any Dataset, to rawDestination: UnsafeMutableRawPointer,
    scratch: UnsafeMutablePointer<Float>
  ) throws {
    let bytes = rawDestination.assumingMemoryBound(to: UInt8.self)
    if let augmentation {
      try copyAugmented(
        index, of: dataset, augmentation, to: scratch, scratch: scratch + elementCount)
    } else {
      try dataset.copySample(index, to: scratch, scale: identity)
    }
    for i in 0..<elementCount { bytes[i] = UInt8(scratch[i] * 255 + 0.5) }
  }

  /// - Parameter scratch: as large as a sample.
  func copySample(
    _ index: Int, of dataset: any Dataset, to rawDestination: UnsafeMutableRawPointer,
    scratch: UnsafeMutablePointer<Float>
  ) throws {
    guard !dataset.hasIntegerSamples else {
      try dataset.copySample(index, to: scratch, scale: identity)
      let numbers = rawDestination.assumingMemoryBound(to: Int32.self)
      for i in 0..<elementCount { numbers[i] = Int32(scratch[i]) }
      return
    }
    let destination = rawDestination.assumingMemoryBound(to: Float.self)
    if let augmentation {
      try copyAugmented(index, of: dataset, augmentation, to: destination, scratch: scratch)
      scale.apply(to: destination, planeSize: planeSize)
    } else {
      try dataset.copySample(index, to: destination, scale: scale)
    }
    if !normalization.projection.isEmpty {
      scratch.update(from: destination, count: elementCount)
      normalization.project(scratch, to: destination)
    }
  }
}
