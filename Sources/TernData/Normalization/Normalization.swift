import Foundation
import TernCore

/// What a sample's values become before they enter the network: (value − mean) / deviation, with a
/// mean and a deviation per channel or feature; for vectors then possibly principal components.
public struct Normalization: Hashable, Sendable {
  /// What is subtracted, per channel or feature.
  public let means: [Double]
  /// What is divided by, per channel or feature.
  public let deviations: [Double]
  /// The principal components that a vector is projected on, [D, D], one a row; empty for none.
  public let projection: [Float]

  /// The longest vectors of which principal components are computed.
  static let projectionLimit = 1024
  /// Keeps whitening from dividing by the variance of a direction that hardly varies.
  private static let whiteningEpsilon = 1e-5

  /// A mean and a deviation per channel or feature.
  public init(means: [Double], deviations: [Double], projection: [Float] = []) {
    self.means = means
    self.deviations = deviations
    self.projection = projection
  }

  /// Of the training set of ImageNet, as pretrained networks know it.
  private static let imagenet = "0.485,0.229;0.456,0.224;0.406,0.225"

  /// The forms of the setting.
  public static let forms = "auto, none, min-max, pca, pca-whiten, imagenet, MEAN,STD"

  /// Reads `auto`, `none`, `min-max`, `pca`, `pca-whiten`, `imagenet`, or `MEAN,STD`: one pair for all
  /// channels, or one for each, between semicolons.
  ///
  /// `auto` gives each channel mean 0 and deviation 1; `min-max` maps its range to [-1, 1]; `pca`
  /// turns a centred vector to its principal components, `pca-whiten` also divides each by
  /// √(variance + 1e-5).
  ///
  /// - Parameter dataset: what the statistics are taken from: the training set alone.
  public init(_ text: String, statisticsOf dataset: any Dataset) throws {
    let channels = dataset.sampleShape[0]
    let ones = [Double](repeating: 1, count: channels)
    switch text {
    case "auto":
      let statistics = try SampleStatistics(dataset)
      // A constant channel stays at 0.
      self.init(
        means: statistics.means, deviations: statistics.deviations.map { $0 > 0 ? $0 : 1 })
    case "none":
      self.init(means: [Double](repeating: 0, count: channels), deviations: ones)
    case "min-max":
      let statistics = try SampleStatistics(dataset)
      let ranges = zip(statistics.minima, statistics.maxima)
      self.init(
        means: ranges.map { ($0 + $1) / 2 },
        deviations: ranges.map { $1 > $0 ? ($1 - $0) / 2 : 1 })
    case "pca", "pca-whiten":
      guard !dataset.isPictures, channels <= Self.projectionLimit else {
        throw TernError(
          .usage,
          "normalize: \(text) is for vectors of at most \(Self.projectionLimit) features, not for "
            + "samples of \(dataset.sampleShape)")
      }
      let means = try SampleStatistics(dataset).means
      let (values, vectors) = SymmetricEigen.decompose(
        try SampleStatistics.covariance(dataset, means: means), size: channels)
      let scales = values.map {
        text == "pca" ? 1 : 1 / (max($0, 0) + Self.whiteningEpsilon).squareRoot()
      }
      self.init(
        means: means, deviations: ones,
        projection: vectors.indices.map { Float(vectors[$0] * scales[$0 / channels]) })
    default:
      let parts = (text == "imagenet" ? Self.imagenet : text).split(
        separator: ";", omittingEmptySubsequences: false)
      let pairs = parts.compactMap(Self.pair)
      guard pairs.count == parts.count else {
        throw TernError(.usage, "normalize: expected one of \(Self.forms), got '\(text)'")
      }
      guard pairs.count == 1 || pairs.count == channels else {
        throw TernError(
          .usage,
          "normalize: '\(text)' is for \(pairs.count) channels, the samples have \(channels)")
      }
      let all = pairs.count == 1 ? Array(repeating: pairs[0], count: channels) : pairs
      self.init(means: all.map(\.mean), deviations: all.map(\.deviation))
    }
  }

  /// In words, for people.
  public var summary: String {
    guard means.count <= 4 else { return "mean and deviation of each of \(means.count) features" }
    func list(_ values: [Double]) -> String {
      values.map { String(format: "%.4g", $0) }.joined(separator: " ")
    }
    return "mean \(list(means)), deviation \(list(deviations))"
  }

  /// As a checkpoint stores it: a pair per channel, and the projection in base 64.
  public var text: String {
    let pairs = zip(means, deviations).map { "\($0),\($1)" }.joined(separator: ";")
    guard !projection.isEmpty else { return pairs }
    let bytes = projection.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
    return pairs + "|" + Data(bytes).base64EncodedString()
  }

  /// Reads ``text``; `nil` where it is not that.
  public init?(text: String) {
    let halves = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = halves[0].split(separator: ";", omittingEmptySubsequences: false)
    let pairs = parts.compactMap(Self.pair)
    guard pairs.count == parts.count else { return nil }
    var projection: [Float] = []
    if halves.count == 2 {
      guard let bytes = Data(base64Encoded: String(halves[1])),
        pairs.count <= Self.projectionLimit, bytes.count == 4 * pairs.count * pairs.count
      else { return nil }
      projection = bytes.withUnsafeBytes { raw in
        (0..<bytes.count / 4).map {
          Float(
            bitPattern: UInt32(
              littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
        }
      }
      guard projection.allSatisfy(\.isFinite) else { return nil }
    }
    self.init(
      means: pairs.map(\.mean), deviations: pairs.map(\.deviation), projection: projection)
  }

  /// Whether it was made for samples of a shape.
  public func fits(_ shape: Shape) -> Bool {
    means.count == shape[0] && (projection.isEmpty || shape.rank == 1)
  }

  /// Reads `MEAN,STD`; `nil` where that is not two numbers one can divide by.
  private static func pair(_ text: some StringProtocol) -> (mean: Double, deviation: Double)? {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
      Double($0.trimmingCharacters(in: .whitespaces))
    }
    guard numbers.count == 2, let mean = numbers[0], let deviation = numbers[1],
      mean.isFinite, deviation.isFinite, deviation > 0
    else { return nil }
    return (mean, deviation)
  }

  /// Writes the principal components of a vector that is scaled already.
  func project(_ vector: UnsafePointer<Float>, to destination: UnsafeMutablePointer<Float>) {
    let size = means.count
    projection.withUnsafeBufferPointer { rows in
      for component in 0..<size {
        let row = rows.baseAddress! + component * size
        // Eight sums side by side, in a fixed order, for the vector unit.
        var sums = SIMD8<Float>.zero
        var i = 0
        while i + 8 <= size {
          let a = UnsafeRawPointer(row + i).loadUnaligned(as: SIMD8<Float>.self)
          let b = UnsafeRawPointer(vector + i).loadUnaligned(as: SIMD8<Float>.self)
          sums += a * b
          i += 8
        }
        var sum = sums.sum()
        while i < size {
          sum += row[i] * vector[i]
          i += 1
        }
        destination[component] = sum
      }
    }
  }
}
