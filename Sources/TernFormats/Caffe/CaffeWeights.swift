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

  /// What a file of weights holds.
  package struct Contents {
    /// Under the names of their layers: `conv1.weight`.
    package var file = Safetensors()
    /// What a net calls those that layers share.
    package var sharedNames: [String: String] = [:]
    /// What is to be said of them.
    package var note: String?
  }

  /// Reads weights, under the names of a ``CaffeNetwork``.
  ///
  /// Caffe's pictures have blue first, Tern's red: what reads them is turned, so that it computes the same
  /// of them.
  ///
  /// - Throws: ``TernError`` of kind `notFound` or `badData`.
  package static func weights(contentsOf path: String) throws -> Contents {
    let budget = WireBudget()
    do {
      var (contents, turned) = (Contents(), [String]())
      var pictures = CaffePictureBlobs()
      for case (let number, .bytes(let slice)) in try WireSlice(InputFile.contents(of: path))
        .fields(budget)
      {
        guard number == 100 || number == 2 else {
          if number == 3 { pictures.add(input: slice.text) }
          continue
        }
        let layer = try CaffeLayerWeights(slice, isOld: number == 2, budget)
        let isTurned = pictures.pass(layer)
        for (index, (name, value)) in try layer.named().enumerated() {
          let other = isTurned ? Self.turned(value, axis: layer.colourAxis) : nil
          if other != nil { turned.append("'\(name)'") }
          guard contents.file.tensors.updateValue(other ?? value, forKey: name) == nil else {
            throw WireFault(description: "two blobs are called '\(name)'")
          }
          if index < layer.sharedNames.count, !layer.sharedNames[index].isEmpty {
            contents.sharedNames[name] = layer.sharedNames[index]
          }
        }
      }
      guard !contents.file.tensors.isEmpty else {
        throw WireFault(description: "no weights of Caffe's: it holds no layer with blobs")
      }
      if !turned.isEmpty {
        contents.note =
          "\(turned.joined(separator: ", ")) \(turned.count == 1 ? "is" : "are") turned, for Caffe's "
          + "pictures have blue first"
      }
      return contents
    } catch let fault as WireFault { throw TernError(.badData, "\(path): \(fault)") }
  }

  /// The mean of each channel, in the order of the file, of a file of mean values (`.binaryproto`).
  package static func channelMeans(contentsOf path: String) throws -> [Double] {
    do {
      let blob = try CaffeBlob(WireSlice(InputFile.contents(of: path)), WireBudget())
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

  /// The same for inputs in the other order, along the axis of three colours; `nil` where there is none.
  private static func turned(_ weight: HostTensor, axis: Int) -> HostTensor? {
    let shape = weight.shape
    guard shape.rank == (axis == 1 ? 4 : 1), shape[axis] == 3 else { return nil }
    let plane = shape.elementCount(in: (axis + 1)..<shape.rank)
    let values = weight.floats
    return HostTensor(
      shape,
      (0..<values.count).map { index in
        let (output, rest) = index.quotientAndRemainder(dividingBy: 3 * plane)
        let (channel, pixel) = rest.quotientAndRemainder(dividingBy: plane)
        return values[(output * 3 + 2 - channel) * plane + pixel]
      })
  }
}
