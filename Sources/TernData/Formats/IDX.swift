import Foundation
import TernCore

/// The file format of MNIST: a magic number with element type and number of axes, the extents as
/// big-endian 32-bit integers, and the elements.
package struct IDXFile: Sendable {
  package let extents: [Int]
  /// The elements, unsigned bytes.
  package let elements: [UInt8]

  /// Reads a file of unsigned bytes, gzipped or plain.
  ///
  /// - Throws: ``TernError`` naming the file and its fault.
  package init(contentsOf path: String, axes: Int) throws {
    let file = try GzipReader(path)
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    extents = try Self.extents(file, path, axes: axes)
    let count = extents.reduce(1, *)
    try SystemMemory.require(
      count, for: path, hint: "; of a file that is not packed, pictures are read on demand")
    elements = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      let target = UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
      initializedCount = try file.read(into: target)
    }
    guard elements.count == count else {
      throw fault("truncated: \(elements.count) of \(count) elements")
    }
    var rest: [UInt8] = [0]
    let excess = try rest.withUnsafeMutableBytes { try file.read(into: $0) }
    guard excess == 0 else { throw fault("bytes follow its \(count) elements") }
  }

  /// The bytes before the elements.
  static func headerSize(axes: Int) -> Int { 4 + 4 * axes }

  /// Reads the header of a file of unsigned bytes, and checks that the file can hold what it claims.
  static func extents(_ file: GzipReader, _ path: String, axes: Int) throws -> [Int] {
    func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }
    var header = [UInt8](repeating: 0, count: headerSize(axes: axes))
    let headerByteCount = try header.withUnsafeMutableBytes { try file.read(into: $0) }
    guard headerByteCount >= 4 else { throw fault("truncated: \(headerByteCount) bytes") }
    guard header[0] == 0, header[1] == 0 else {
      throw fault("not an IDX file (wrong magic number)")
    }
    guard header[2] == 8 else {
      throw fault("IDX element type \(header[2]) where unsigned bytes (8) belong")
    }
    guard header[3] == axes else { throw fault("\(header[3]) axes where \(axes) belong") }
    guard headerByteCount == header.count else { throw fault("truncated in its header") }
    let extents = (0..<axes).map { axis in
      (0..<4).reduce(0) { $0 << 8 | Int(header[4 + 4 * axis + $1]) }
    }
    guard let count = Shape.elementCount(ofExtents: extents), count > 0 else {
      throw fault("the extents \(extents) make no sense")
    }
    // Before any memory is taken on the header's word.
    let limit = file.byteCountLimit - headerByteCount
    guard count <= limit else {
      throw fault(
        "truncated: at most \(limit) of \(count) elements"
          + (file.isPacked
            ? "; \(PackedSize.fault(count, packed: file.fileByteCount))" : ""))
    }
    return extents
  }
}

/// Data sets of pictures [N, H, W] with labels [N]: `train-images-idx3-ubyte`,
/// `train-labels-idx1-ubyte`; for testing `t10k-…` or `test-…`, and where they are there for validation
/// `val-…`, `valid-…` or `validation-…`; gzipped or plain.
enum IDX {
  /// Pictures of more bytes than this stay in their file, if that is not packed.
  static let memoryLimit = 1 << 30

  private static let prefixes: [DataPart: [String]] = [
    .training: ["train"], .validation: ["val", "valid", "validation"], .test: ["t10k", "test"],
  ]

  private struct Paths {
    let images: String
    let labels: String
  }

  /// - Parameter captions: what the labels are called, in their order; `nil` where they are numbers
  ///   alone.
  static func open(
    _ directory: String, captions: [String]?, known: TrainedSamples?, measures: Bool = false,
    memoryLimit: Int = memoryLimit
  ) throws -> DataParts {
    guard FileSystem.exists(directory) else {
      throw TernError(.notFound, "\(directory): no such folder")
    }
    var paths: [DataPart: Paths] = [:]
    for part in DataPart.allCases { paths[part] = try find(part, in: directory) }
    // A data set has its two parts; to measure a network, one is enough.
    for part in [DataPart.training, .test] where paths[part] == nil && known == nil || paths.isEmpty
    {
      let missing = name(prefixes[part]![0], "images", axes: 3, separator: "-")
      throw TernError(
        .notFound,
        "\(directory.appendingPath(missing)): no such file (nor with "
          + ".gz)")
    }
    let wanted = DataPart.wanted(paths.keys, measures: measures)
    let labels = try wanted.map { try IDXFile(contentsOf: paths[$0]!.labels, axes: 1) }
    let classes =
      try known.map { ClassNames($0.classNames) } ?? captions.map { ClassNames($0) }
      ?? ClassNames(
        wholeNumbers: labels.flatMap { Set($0.elements) }.map { Int($0) }, path: directory)
    let numbers = (0...255).map { label -> Int32? in
      guard let captions else { return classes.number(of: label) }
      return captions.indices.contains(label) ? classes.number(of: captions[label]) : nil
    }
    var parts = DataParts()
    for (part, labels) in zip(wanted, labels) {
      let paths = paths[part]!
      if let index = labels.elements.firstIndex(where: { numbers[Int($0)] == nil }) {
        let label = Int(labels.elements[index])
        let reason =
          captions.map { names in
            names.indices.contains(label)
              ? "'\(names[label])', is no class of the training set\(classes.hint)"
              : "is not in 0..<\(names.count)"
          } ?? "is no class of the training set\(classes.hint)"
        throw TernError(.badData, "\(paths.labels): label \(label) of sample \(index) \(reason)")
      }
      parts[part] = .init(
        set: try dataset(
          paths, labels.extents[0], labels.elements.map { UInt8(numbers[Int($0)]!) },
          classes.names, memoryLimit),
        origin: paths.images.lastPathPart)
    }
    let shapes = wanted.map { parts[$0]!.set.sampleShape }
    if let index = shapes.firstIndex(where: { $0 != shapes[0] }) {
      throw TernError(
        .badData,
        "\(paths[wanted[index]]!.images): images of \(shapes[index]) where the training set has "
          + "\(shapes[0])")
    }
    return parts
  }

  private static func name(_ prefix: String, _ kind: String, axes: Int, separator: String) -> String
  {
    "\(prefix)-\(kind)\(separator)idx\(axes)-ubyte"
  }

  /// The files of a part; `nil` where it has none.
  private static func find(_ part: DataPart, in directory: String) throws -> Paths? {
    for prefix in prefixes[part]! {
      func path(_ kind: String, axes: Int) -> String? {
        // The separator differs among the copies that are about.
        let names = ["-", "."].flatMap { separator in
          ["", ".gz"].map { name(prefix, kind, axes: axes, separator: separator) + $0 }
        }
        return names.map { directory.appendingPath($0) }
          .first(where: FileSystem.exists)
      }
      let (images, labels) = (path("images", axes: 3), path("labels", axes: 1))
      if let images, let labels { return Paths(images: images, labels: labels) }
      if images != nil || labels != nil {
        let missing = name(
          prefix, images == nil ? "images" : "labels", axes: images == nil ? 3 : 1, separator: "-")
        throw TernError(
          .notFound,
          "\(directory.appendingPath(missing)): no such file (nor with .gz)")
      }
    }
    return nil
  }

  private static func dataset(
    _ paths: Paths, _ labelCount: Int, _ labels: [UInt8], _ classNames: [String],
    _ memoryLimit: Int
  ) throws -> any Dataset {
    let file = try GzipReader(paths.images)
    let extents = try IDXFile.extents(file, paths.images, axes: 3)
    guard extents[0] == labelCount else {
      throw TernError(
        .badData,
        "\(paths.labels): \(labelCount) labels for \(extents[0]) images in \(paths.images)")
    }
    if !file.isPacked, extents.reduce(1, *) > memoryLimit {
      return try IDXFileDataset(paths.images, extents, labels: labels, classNames: classNames)
    }
    return InMemoryDataset(
      pixels: try IDXFile(contentsOf: paths.images, axes: 3).elements, labels: labels,
      sampleShape: [1, extents[1], extents[2]], classNames: classNames)
  }
}
