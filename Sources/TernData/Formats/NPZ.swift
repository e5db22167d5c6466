import Foundation
import TernCore

/// Arrays in a file of NumPy's `savez` or `savez_compressed`.
///
/// `x_train`, `y_train` and, where there is a test set, `x_test`, `y_test`; or `images` and `labels`,
/// without one. Labels are whole numbers from 0, [N]. Bytes [N, H, W], [N, H, W, C] or [N, C, H, W]
/// with C of 1 or 3 are pictures; numbers of these shapes are pictures taken as they are; [N, D] are
/// vectors, bytes among them too.
enum NPZ {
  /// - Returns: `test` is `nil` where the file has none.
  static func open(_ path: String) throws -> (training: any Dataset, test: (any Dataset)?) {
    let archive = try ZipArchive(contentsOf: path)
    func array(_ name: String) throws -> NPYArray? {
      guard let member = archive.members.first(where: { $0.name == "\(name).npy" }) else {
        return nil
      }
      return try NPYArray(archive.contents(of: member), name: "\(path): \(name)")
    }
    func pair(_ x: String, _ y: String) throws -> Samples? {
      guard let samples = try array(x), let labels = try array(y) else { return nil }
      return try Samples(samples, try labels.integers(), labels.shape, path, x, y)
    }
    guard let training = try pair("x_train", "y_train") ?? pair("images", "labels") else {
      let names = archive.members.map(\.name).prefix(8).joined(separator: ", ")
      throw TernError(
        .badData,
        "\(path): expected arrays x_train and y_train, or images and labels; it holds \(names)")
    }
    let test = try pair("x_test", "y_test")
    let largest = max(training.labels.max()!, test?.labels.max() ?? 0, 1)
    let classNames = (0...largest).map(String.init)
    if let test, test.shape != training.shape {
      throw TernError(
        .badData,
        "\(path): x_test: samples of \(test.shape) where x_train has \(training.shape)")
    }
    return (training.dataset(classNames), test?.dataset(classNames))
  }

  /// An array of samples with its labels, checked.
  private struct Samples {
    let labels: [Int]
    let shape: Shape
    private let array: NPYArray
    /// Whether the channels are the last axis and have to be the first.
    private let channelsAreLast: Bool

    init(
      _ array: NPYArray, _ labels: [Int], _ labelShape: [Int], _ path: String, _ x: String,
      _ y: String
    ) throws {
      let extents = array.shape
      switch extents.count {
      case 2: (shape, channelsAreLast) = ([extents[1]], false)
      case 3: (shape, channelsAreLast) = ([1, extents[1], extents[2]], false)
      case 4 where extents[3] == 1 || extents[3] == 3:
        (shape, channelsAreLast) = ([extents[3], extents[1], extents[2]], true)
      case 4 where extents[1] == 1 || extents[1] == 3:
        (shape, channelsAreLast) = ([extents[1], extents[2], extents[3]], false)
      default:
        throw TernError(
          .badData,
          "\(path): \(x): a shape of \(extents) where [N, D], [N, H, W], [N, H, W, C] or "
            + "[N, C, H, W] belongs, with C of 1 or 3")
      }
      guard labels.count == extents[0], labelShape.dropFirst().allSatisfy({ $0 == 1 }) else {
        throw TernError(
          .badData, "\(path): \(y): labels of shape \(labelShape) for \(extents[0]) samples in \(x)"
        )
      }
      if let index = labels.firstIndex(where: { $0 < 0 || $0 >= 1 << 16 }) {
        throw TernError(
          .badData, "\(path): \(y): label \(labels[index]) of sample \(index) is not in 0..<65536")
      }
      if array.type.hasPrefix("f"), let index = array.floats.firstIndex(where: { !$0.isFinite }) {
        throw TernError(
          .badData,
          "\(path): \(x): sample \(index / shape.elementCount) holds a number that is not finite")
      }
      self.array = array
      self.labels = labels
    }

    func dataset(_ classNames: [String]) -> any Dataset {
      if array.type == "u1", shape.rank == 3, classNames.count <= 256 {
        return InMemoryDataset(
          pixels: arranged(array.bytes), labels: labels.map { UInt8($0) }, sampleShape: shape,
          classNames: classNames)
      }
      // Bytes are parts of 255, whatever their arrangement.
      let values = array.type == "u1" ? array.floats.map { $0 / 255 } : array.floats
      return ValueDataset(
        values: arranged(values), labels: labels.map { Int32($0) }, sampleShape: shape,
        classNames: classNames)
    }

    /// [N, H, W, C] as [N, C, H, W], where it is that.
    private func arranged<T>(_ values: [T]) -> [T] {
      guard channelsAreLast, shape[0] > 1 else { return values }
      let (channels, plane) = (shape[0], shape[1] * shape[2])
      return Array(unsafeUninitializedCapacity: values.count) { target, count in
        for i in values.indices {
          let (sample, rest) = i.quotientAndRemainder(dividingBy: channels * plane)
          let (channel, pixel) = rest.quotientAndRemainder(dividingBy: plane)
          target.initializeElement(
            at: i, to: values[(sample * plane + pixel) * channels + channel])
        }
        count = values.count
      }
    }
  }
}
