import TernCore
import TernData

/// A layer of a file of weights, and the names that its message has of it.
struct CaffeLayerWeights {
  private(set) var name = ""
  /// As the later form calls it; empty of layers that nothing is done with.
  private(set) var type = ""
  private(set) var bottoms: [String] = []
  private(set) var tops: [String] = []
  /// The names of those of its parameters that it shares.
  private(set) var sharedNames: [String] = []
  private(set) var blobs: [CaffeBlob] = []

  /// The numbers of types in the form of before 2014, as far as they matter.
  private static let oldTypes: [UInt64: String] = [
    4: "Convolution", 5: "Data", 6: "Dropout", 9: "HDF5Data", 12: "ImageData", 15: "LRN",
    17: "Pooling", 18: "ReLU", 22: "Split", 24: "WindowData", 26: "Power", 29: "MemoryData",
    32: "DummyData",
  ]

  /// - Parameter isOld: whether it has the form of before 2014.
  init(_ slice: WireSlice, isOld: Bool, _ budget: WireBudget) throws {
    for (number, value) in try slice.fields(budget) {
      switch (number, value) {
      case (1, .bytes(let text)) where !isOld: name = text.text
      case (4, .bytes(let text)) where isOld: name = text.text
      case (2, .bytes(let text)) where !isOld: type = text.text
      case (5, .varint(let number)) where isOld: type = Self.oldTypes[number] ?? ""
      case (3, .bytes(let text)) where !isOld, (2, .bytes(let text)) where isOld:
        bottoms.append(text.text)
      case (4, .bytes(let text)) where !isOld, (3, .bytes(let text)) where isOld:
        tops.append(text.text)
      case (6, .bytes(let message)) where !isOld:
        var shared = ""
        for case (1, .bytes(let text)) in try message.fields(budget) { shared = text.text }
        sharedNames.append(shared)
      case (1001, .bytes(let text)) where isOld: sharedNames.append(text.text)
      case (7, .bytes(let blob)) where !isOld, (6, .bytes(let blob)) where isOld:
        blobs.append(try CaffeBlob(blob, budget))
      case (1, .bytes) where isOld:
        throw WireFault(description: "layers in the form of 2013, which are not read")
      default: break
      }
    }
  }

  /// The axis of its weights that goes along the channels that it reads: layers without weights of windows have a
  /// number for each.
  var colourAxis: Int { type.isEmpty || type == "Convolution" ? 1 : 0 }

  /// Its weights under the names of a ``CaffeNetwork``.
  func named() throws -> [(String, HostTensor)] {
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
}

/// Which blobs hold pictures as they come, with blue first.
struct CaffePictureBlobs {
  private var names: Set<String> = []
  private var hasWeights = false

  /// Layers whose results have the channels of what they read.
  private static let keepers: Set<String> = [
    "AbsVal", "BatchNorm", "Bias", "Dropout", "ELU", "Exp", "LRN", "Log", "PReLU", "Pooling",
    "Power", "ReLU", "Scale", "Sigmoid", "Split", "TanH",
  ]

  mutating func add(input name: String) { names.insert(name) }

  /// Goes on to a layer.
  ///
  /// - Returns: whether it reads pictures, and its weights are for their order.
  mutating func pass(_ layer: CaffeLayerWeights) -> Bool {
    if layer.bottoms.isEmpty, layer.blobs.isEmpty {
      names.formUnion(layer.tops)
      return false
    }
    // A file without what brings the data: the first layer that has weights reads it.
    if names.isEmpty, !layer.blobs.isEmpty { names.formUnion(layer.bottoms) }
    // A file that says nothing of what reads what: its first layer.
    let isFirst = layer.bottoms.isEmpty && names.isEmpty && !layer.blobs.isEmpty && !hasWeights
    hasWeights = hasWeights || !layer.blobs.isEmpty
    let isRead = isFirst || layer.bottoms.contains(where: names.contains)
    names.subtract(layer.tops)
    if isRead, Self.keepers.contains(layer.type) { names.formUnion(layer.tops) }
    return isRead && !layer.blobs.isEmpty
      && (layer.colourAxis == 1 || Self.keepers.contains(layer.type))
  }
}

/// Numbers with a shape.
struct CaffeBlob {
  let shape: [Int]
  let values: [Float]
  /// Whether the shape is the old one of four extents.
  let isOld: Bool

  init(_ slice: WireSlice, _ budget: WireBudget) throws {
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
    guard let count = Shape.elementCount(ofExtents: extents, limit: 1 << 40) else {
      throw WireFault(description: "a blob of shape \(extents)")
    }
    guard count == values.count, count > 0, extents.count <= 8 else {
      throw WireFault(
        description: "a blob of shape \(extents) has \(values.count) numbers where \(count) belong")
    }
    (self.shape, self.values, isOld) = (extents, values, shape == nil)
  }
}
