import Foundation
import TernCore
import TernData
import TernFormats

/// The weights that a path names: a safetensors file, one of NumPy's (`.npz`), of PyTorch's (`.pt`, `.pth`, `.ckpt`), an ONNX file, Caffe's
/// (`.caffemodel`), or the folder of a run, whose last checkpoint counts.
public struct WeightsFile: Sendable {
  /// The file that was read.
  public let path: String
  /// What is in the file.
  public let file: Safetensors
  /// What is to be said of how it was read.
  package private(set) var note: String?
  /// What a net of Caffe's calls weights that layers share, by the names of the layers; `nil` of other files.
  private var sharedNames: [String: String]?

  /// - Throws: ``TernError`` of kind `notFound` or `badData`; of a file in another program's format it
  ///   says what it is and how to get at its weights.
  public init(_ path: String) throws {
    if FileSystem.isFolder(path) {
      guard RunDirectory.exists(path) else {
        throw TernError(.notFound, "\(path): a folder, and no training run (no config.yaml)")
      }
      self.path = RunDirectory(path: path).checkpointPath("last") + "/" + Checkpoint.weightsFile
      guard FileSystem.exists(self.path) else {
        throw TernError(.badData, "\(path): the run has no checkpoint yet")
      }
    } else {
      self.path = path
    }
    if TorchFile.isTorch(self.path) {
      let read = try TorchFile.weights(contentsOf: self.path)
      file = read.file
      note = read.place.map { "\(path): the weights are those of '\($0)'" }
      return
    }
    if ONNXNetwork.isPath(self.path) {
      file = try ONNXModel(contentsOf: self.path).weights()
      return
    }
    if CaffeWeights.isPath(self.path) {
      let read = try CaffeWeights.weights(contentsOf: self.path)
      file = read.file
      sharedNames = read.sharedNames
      note = read.note.map { "\(path): \($0)" }
      return
    }
    if Self.isNumPys(self.path) {
      file = try Safetensors(npz: self.path)
      return
    }
    do { file = try Safetensors(contentsOf: self.path) } catch let error as TernError
      where error.kind == .badData
    {
      guard let format = Self.foreignFormat(of: self.path) else { throw error }
      throw TernError(.badData, "\(path): \(format)")
    }
  }

  /// The tensors under the names that a network has. Tools that wrap a network put their own name
  /// before every other (`module.`, `_orig_mod.`); what stands before most names is left out where
  /// only that makes some of them the network's. Layers of Caffe's that a net lacks are left out.
  ///
  /// - Returns: also what is to be said of it.
  public func named(as known: Set<String>) -> (file: Safetensors, note: String?) {
    if let sharedNames { return ofLayers(known, sharedNames) }
    let names = file.tensors.keys
    guard !names.contains(where: known.contains) else { return (file, nil) }
    // How many names are the network's behind each prefix.
    var counts: [String: Int] = [:]
    for name in names {
      var rest = name[...]
      while let point = rest.firstIndex(of: ".") {
        rest = rest[rest.index(after: point)...]
        guard known.contains(String(rest)) else { continue }
        counts[String(name[..<rest.startIndex]), default: 0] += 1
      }
    }
    let best = counts.max { a, b in
      (a.value, b.key.utf8.count, b.key) < (b.value, a.key.utf8.count, a.key)
    }
    guard let (prefix, count) = best, count * 2 >= names.count else { return (file, nil) }
    let others = names.filter { !$0.hasPrefix(prefix) }.sorted()
    return (
      file.withoutPrefix(prefix),
      others.isEmpty
        ? "\(path): every name starts with '\(prefix)', which is left out"
        : "\(path): names start with '\(prefix)', which is left out; others are not read: "
          + others.listed
    )
  }

  /// Caffe's weights, whose names go by layers.
  private func ofLayers(
    _ known: Set<String>, _ sharedNames: [String: String]
  ) -> (file: Safetensors, note: String?) {
    var (result, others) = (file, [String]())
    for (name, value) in file.tensors where !known.contains(name) {
      let shared = sharedNames[name].flatMap { known.contains($0) ? $0 : nil }
      if let shared { result.tensors[shared] = value } else { others.append(name) }
      result.tensors[name] = nil
    }
    // Of nothing that fits, names are told.
    guard !result.tensors.isEmpty, !others.isEmpty else {
      return (others.isEmpty ? result : file, nil)
    }
    return (
      result,
      "\(path): the network has no such layers, which are not read: \(others.sorted().listed)"
    )
  }

  // MARK: Other formats

  /// Whether a file is a zip archive of NumPy's arrays.
  private static func isNumPys(_ path: String) -> Bool {
    guard let head = FileSystem.contents(of: path, upToCount: 4096) else { return false }
    return head.starts(with: Array("PK".utf8) + [3, 4]) && head.range(of: Data(".npy".utf8)) != nil
  }

  /// What a file is that is no safetensors file, and what to do with it; `nil` where that is unknown.
  private static func foreignFormat(of path: String) -> String? {
    guard let head = FileSystem.contents(of: path, upToCount: 4096) else { return nil }
    func starts(_ bytes: [UInt8]) -> Bool { head.starts(with: bytes) }
    if starts(Array("PK".utf8) + [3, 4]) {
      if TorchFile.isScript(path) {
        return "a program of TorchScript's; expected weights alone: "
          + "torch.save(torch.jit.load(FILE).state_dict(), OTHER)"
      }
      return "a zip archive; expected a safetensors file"
    }
    if starts([0x89] + Array("HDF".utf8)) {
      return "an HDF5 file, as Keras writes them; save its weights as safetensors, under PyTorch's "
        + "names and in its layouts"
    }
    if starts([0x93] + Array("NUMPY".utf8)) {
      return "one NumPy array; expected a safetensors file with a tensor per parameter"
    }
    let suffixes = [
      "prototxt": "a Caffe network",
      "pb": "a TensorFlow graph", "tflite": "a TensorFlow Lite file", "gguf": "a GGUF file",
      "yaml": "a model file or settings",
    ]
    return suffixes[path.pathSuffix.lowercased()].map {
      "\($0); expected the weights as a safetensors file, under PyTorch's names"
    }
  }
}

extension [String] {
  /// The first of them, and how many more there are.
  fileprivate var listed: String {
    prefix(3).joined(separator: ", ") + (count > 3 ? " and \(count - 3) more" : "")
  }
}
