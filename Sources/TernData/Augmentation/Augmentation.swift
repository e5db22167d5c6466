import Foundation
import TernCore

/// Random changes to training pictures, which leave their class as it is; mixup mixes the classes too.
///
/// What is drawn depends on seed, epoch and sample alone, so that neither the number of workers nor
/// a resumed run changes it.
public struct Augmentation: Hashable, Sendable {
  let transforms: [Transform]
  /// The α of mixup, where the samples of a batch are mixed.
  public let mixup: Double?
  /// The principal colours of the training set, scaled by their variances, one a row; for fancy PCA.
  var colors: [Float] = []

  /// Lists of transforms by name.
  public static let presets = [
    "fashion-mnist": "crop:2,flip", "cifar": "crop:4,flip", "imagenet": "resized-crop,flip",
  ]

  /// All transforms, then the presets, then `none`.
  public static var names: [String] {
    Transform.Kind.allCases.map(\.rawValue) + presets.keys.sorted() + ["none"]
  }

  /// Changes nothing.
  public init() { (transforms, mixup) = ([], nil) }

  /// Reads a comma-separated list such as `flip,crop:4,rotate:15`, presets among them as in
  /// `cifar,mixup:0.2`, or `none`.
  ///
  /// - Throws: ``TernError`` of kind `usage` for an unknown name, with the nearest known one, or a
  ///   parameter that makes no sense.
  public init(_ text: String) throws {
    guard text != "none" else {
      (transforms, mixup) = ([], nil)
      return
    }
    func entries(_ list: String) -> [String] {
      list.split(separator: ",", omittingEmptySubsequences: false).map { String($0.trimmingSpaces) }
    }
    let listed = entries(text)
    guard !listed.contains(""), !listed.contains("none") else {
      throw TernError(
        .usage,
        "augment: expected a list such as flip,crop:4, or none alone, got '\(text)'")
    }
    let all = try listed.flatMap { entry in
      try entries(Self.presets[entry] ?? entry).map { try Transform($0) }
    }
    let mixing = all.filter { $0.kind == .mixup }
    guard mixing.count <= 1 else { throw TernError(.usage, "augment: mixup twice") }
    mixup = mixing.first?.value
    transforms = all.filter { $0.kind != .mixup }
    if let late = transforms.dropFirst().first(where: { $0.kind == .resizedCrop }) {
      throw TernError(.usage, "augment: \(late.kind.rawValue) has to come first")
    }
  }

  /// Whether nothing is changed.
  public var isEmpty: Bool { transforms.isEmpty && mixup == nil }

  /// Checks that samples can be changed so, and takes what is needed from the training set.
  ///
  /// - Throws: ``TernError`` of kind `usage` where a transform does not suit the samples.
  public func prepared(for dataset: any Dataset) throws -> Augmentation {
    guard mixup == nil || (dataset.targetShape.rank == 0 && dataset.otherFields.isEmpty) else {
      throw TernError(
        .usage,
        "augment: mixup is for a class per sample, not per pixel, and for networks with one input")
    }
    guard !transforms.isEmpty else { return self }
    guard dataset.isPictures else {
      throw TernError(
        .usage, "augment: the samples are vectors of \(dataset.sampleShape), not pictures")
    }
    let (channels, height, width) = (
      dataset.sampleShape[0], dataset.sampleShape[1], dataset.sampleShape[2]
    )
    for transform in transforms {
      if transform.kind.blendsPixels, dataset.targetShape.rank == 2 {
        throw TernError(
          .usage,
          "augment: \(transform.kind.rawValue) would blend the classes of a mask; flip, vflip, crop, "
            + "hsv, fancy-pca and erase do not")
      }
      if transform.kind.needsColor, channels != 3 {
        throw TernError(
          .usage,
          "augment: \(transform.kind.rawValue) needs three colours, the pictures have \(channels)")
      }
      if transform.kind == .crop, transform.value >= Double(min(height, width)) {
        throw TernError(
          .usage,
          "augment: a crop padded by \(Int(transform.value)) leaves nothing of \(height)×\(width) pixels"
        )
      }
    }
    guard transforms.contains(where: { $0.kind == .fancyPCA }) else { return self }
    let means = try SampleStatistics(dataset).means
    let (values, vectors) = SymmetricEigen.decompose(
      try SampleStatistics.covariance(dataset, means: means), size: 3)
    var result = self
    result.colors = vectors.indices.map { Float(vectors[$0] * max(values[$0 / 3], 0)) }
    return result
  }

  /// Writes a changed sample, its values in [0, 1] before they are scaled.
  ///
  /// - Parameters:
  ///   - draws: the random numbers of this sample in this epoch.
  ///   - scratch: as large as a sample.
  func copySample(
    _ index: Int, of dataset: any Dataset, to destination: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>, identity: ChannelScale, draws: SampleDraws
  ) throws {
    let shape = dataset.sampleShape
    if let first = transforms.first, first.kind == .resizedCrop {
      var draws = draws.substream(0)
      try dataset.copyRegion(index, to: destination, scale: identity) { width, height in
        Self.region(width, height, shape, smallestArea: first.value, &draws)
      }
    } else {
      try dataset.copySample(index, to: destination, scale: identity)
    }
    var raster = Raster(
      values: destination, scratch: scratch, channels: shape[0], height: shape[1], width: shape[2])
    for (number, transform) in transforms.enumerated() {
      var draws = draws.substream(UInt64(number))
      transform.apply(to: &raster, colors: colors, &draws)
    }
    // The result may have ended up in either place.
    if raster.values != destination {
      destination.update(from: raster.values, count: shape.elementCount)
    }
  }

  /// Moves the classes of a sample's pixels as its pixels are moved.
  func apply(
    toTarget target: UnsafeMutablePointer<Int32>, _ shape: Shape, draws: SampleDraws
  ) {
    guard shape.rank == 2, transforms.contains(where: \.kind.movesPixels) else { return }
    let count = shape.elementCount
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count) { planes in
      let values = planes.baseAddress!
      // What comes in at the border of a crop is 0: that has to be what does not count.
      for i in 0..<count { values[i] = Float(max(target[i] + 1, 0)) }
      var raster = Raster(
        values: values, scratch: values + count, channels: 1, height: shape[0], width: shape[1])
      for (number, transform) in transforms.enumerated() where transform.kind.movesPixels {
        var draws = draws.substream(UInt64(number))
        transform.apply(to: &raster, colors: colors, &draws)
      }
      for i in 0..<count {
        let value = Int32(raster.values[i])
        target[i] = value == 0 ? SegmentationFolderDataset.ignoredTarget : value - 1
      }
    }
  }

  /// A part of random area and aspect, 3/4 to 4/3.
  ///
  /// Source: Szegedy et al., "Going deeper with convolutions", 2015, section 6.
  private static func region(
    _ width: Int, _ height: Int, _ shape: Shape, smallestArea: Double, _ draws: inout SampleDraws
  ) -> PictureRegion {
    let (w, h) = (Double(width), Double(height))
    for _ in 0..<10 {
      let area = w * h * draws.number(in: smallestArea...1)
      let aspect = draws.power(from: 3.0 / 4, to: 4.0 / 3)
      let (regionWidth, regionHeight) = ((area * aspect).squareRoot(), (area / aspect).squareRoot())
      let (x, y) = (draws.unit(), draws.unit())
      if regionWidth <= w, regionHeight <= h {
        return PictureRegion(
          x: x * (w - regionWidth), y: y * (h - regionHeight), width: regionWidth,
          height: regionHeight)
      }
    }
    return .centered(in: (width, height), aspect: Double(shape[2]) / Double(shape[1]), part: 1)
  }
}
