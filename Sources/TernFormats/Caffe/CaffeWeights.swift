import Foundation
import TernCore
import TernData

/// The weights of a net of Caffe's, and its means of pictures: messages of Protocol Buffers.
///
/// Source: the numbers of fields of BVLC's caffe.proto: NetParameter, LayerParameter, V1LayerParameter,
/// BlobProto.
package enum CaffeWeights {
  /// Whether a path is that of a file of weights.
  package static func isPath(_ path: String) -> Bool {
    path.pathSuffix.lowercased() == "caffemodel"
  }

  /// Reads weights, under the names of a ``CaffeNetwork``.
  ///
  /// Caffe's pictures have blue first, Tern's red: a convolution of three channels that comes first is turned, so
  /// that it computes the same of them.
  ///
  /// - Returns: also what is to be said of them.
  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  package static func weights(contentsOf path: String) throws -> (file: Safetensors, note: String?)
  {
    let budget = WireBudget()
    do {
      var (file, note) = (Safetensors(), String?.none)
      var isFirst = true
      for case (let number, .bytes(let slice)) in try WireSlice(InputFile.contents(of: path))
        .fields(budget) where number == 100 || number == 2
      {
        let blobs = try layer(slice, isOld: number == 2, budget)
        for (name, value) in blobs {
          let isPictures = isFirst && value.shape.rank == 4 && value.shape[1] == 3
          let value = isPictures ? turned(value) : value
          if isPictures { note = "'\(name)' is turned, for Caffe's pictures have blue first" }
          guard file.tensors.updateValue(value, forKey: name) == nil else {
            throw WireFault(description: "two blobs are called '\(name)'")
          }
        }
        if !blobs.isEmpty { isFirst = false }
      }
      guard !file.tensors.isEmpty else {
        throw WireFault(description: "no weights of Caffe's: it holds no layer with blobs")
      }
      return (file, note)
    } catch let fault as WireFault { throw TernError(.badData, "\(path): \(fault)") }
  }

  /// The mean of each channel, in the order of the file, of a file of mean values (`.binaryproto`).
  package static func channelMeans(contentsOf path: String) throws -> [Double] {
    do {
      let blob = try blob(WireSlice(InputFile.contents(of: path)), WireBudget())
      guard blob.shape.count >= 3, let channels = blob.shape.dropLast(2).last else {
        throw WireFault(description: "no means of pictures: the shape \(blob.shape)")
      }
      let values = blob.values.map(Double.init)
      let plane = values.count / max(channels, 1)
      return (0..<channels).map { channel in
        values[channel * plane..<(channel + 1) * plane].reduce(0, +) / Double(plane)
      }
    } catch let fault as WireFault { throw TernError(.badData, "\(path): \(fault)") }
  }

  /// The same weights [O, 3, H, W] for inputs in the other order.
  private static func turned(_ weight: HostTensor) -> HostTensor {
    let plane = weight.shape.elementCount(in: 2..<weight.shape.rank)
    let values = weight.floats
    return HostTensor(
      weight.shape,
      (0..<values.count).map { index in
        let (output, rest) = index.quotientAndRemainder(dividingBy: 3 * plane)
        let (channel, pixel) = rest.quotientAndRemainder(dividingBy: plane)
        return values[(output * 3 + 2 - channel) * plane + pixel]
      })
  }

  // MARK: Messages

  private struct Blob {
    var shape: [Int]
    var values: [Float]
    /// Whether the shape is the old one of four extents.
    var isOld: Bool
  }

  private static func layer(
    _ slice: WireSlice, isOld: Bool, _ budget: WireBudget
  ) throws -> [(String, HostTensor)] {
    var (name, type, blobs) = ("", "", [Blob]())
    for (number, value) in try slice.fields(budget) {
      switch (number, value) {
      case (1, .bytes(let text)) where !isOld: name = text.text
      case (4, .bytes(let text)) where isOld: name = text.text
      case (2, .bytes(let text)) where !isOld: type = text.text
      case (7, .bytes(let blob)) where !isOld, (6, .bytes(let blob)) where isOld:
        blobs.append(try self.blob(blob, budget))
      case (1, .bytes) where isOld:
        throw WireFault(description: "layers in the form of 2013, which are not read")
      default: break
      }
    }
    guard !blobs.isEmpty else { return [] }
    if type == "BatchNorm" {
      // Sums of means and variances, and what they are divided by.
      guard blobs.count == 3, let divisor = blobs[2].values.first else {
        throw WireFault(description: "layer '\(name)' has \(blobs.count) blobs, BatchNorm has 3")
      }
      let factor = divisor == 0 ? 0 : 1 / divisor
      return zip(["running_mean", "running_var"], blobs).map { suffix, blob in
        ("\(name).\(suffix)", HostTensor([blob.values.count], blob.values.map { $0 * factor }))
      }
    }
    guard blobs.count <= 2 else {
      throw WireFault(description: "layer '\(name)' (\(type)) has \(blobs.count) blobs")
    }
    let names = type == "Bias" ? ["bias"] : ["weight", "bias"]
    return zip(names, blobs).map { suffix, blob in
      var shape = blob.shape
      // Of old, vectors and matrices have extents of 1 in front.
      let rank = suffix == "bias" ? 1 : 2
      while blob.isOld, shape.count > rank, shape[0] == 1 { shape.removeFirst() }
      return ("\(name).\(suffix)", HostTensor(Shape(shape), blob.values))
    }
  }

  private static func blob(_ slice: WireSlice, _ budget: WireBudget) throws -> Blob {
    var old = [Int](repeating: 1, count: 4)
    var (hasOld, shape, values) = (false, [Int]?.none, [Float]())
    for (number, value) in try slice.fields(budget) {
      switch (number, value) {
      case (1...4, .varint(let extent)):
        old[number - 1] = Int(truncatingIfNeeded: extent)
        hasOld = true
      case (5, .bytes(let packed)):
        values += try packed.words(UInt32.self).map(Float.init(bitPattern:))
      case (5, .fixed32(let bits)): values.append(Float(bitPattern: bits))
      case (8, .bytes(let packed)):
        values += try packed.words(UInt64.self).map { Float(Double(bitPattern: $0)) }
      case (8, .fixed64(let bits)): values.append(Float(Double(bitPattern: bits)))
      case (7, .bytes(let message)):
        shape = []
        for (number, value) in try message.fields(budget) {
          switch (number, value) {
          case (1, .varint(let extent)): shape!.append(Int(truncatingIfNeeded: extent))
          case (1, .bytes(let packed)):
            shape! += try packed.packedVarints(budget).map { Int($0) }
          default: break
          }
        }
      default: break
      }
    }
    let extents = shape ?? (hasOld ? old : [values.count])
    var count = 1
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow, product <= 1 << 40 else {
        throw WireFault(description: "a blob of shape \(extents)")
      }
      count = product
    }
    guard count == values.count, count > 0, extents.count <= 8 else {
      throw WireFault(
        description: "a blob of shape \(extents) has \(values.count) numbers where \(count) belong")
    }
    return Blob(shape: extents, values: values, isOld: shape == nil)
  }
}
