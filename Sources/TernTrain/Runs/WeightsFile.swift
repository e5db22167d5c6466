import Foundation
import TernCore
import TernData
import TernFormats

/// The weights that a path names: a safetensors file, one of PyTorch's (`.pt`, `.pth`, `.ckpt`), an ONNX file, Caffe's
/// (`.caffemodel`), or the folder of a run, whose last checkpoint counts.
public struct WeightsFile: Sendable {
  /// The file that was read.
  public let path: String
  /// What is in the file.
  public let file: Safetensors
  /// What is to be said of how it was read.
  package private(set) var note: String?

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
      file = try TorchFile.weights(contentsOf: self.path)
      return
    }
    if ONNXNetwork.isPath(self.path) {
      file = try ONNXModel(contentsOf: self.path).weights()
      return
    }
    if CaffeWeights.isPath(self.path) {
      let read = try CaffeWeights.weights(contentsOf: self.path)
      file = read.file
      note = read.note.map { "\(path): \($0)" }
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
  /// before every other (`module.`, `_orig_mod.`); what stands before all names is left out where
  /// only that makes some of them the network's.
  ///
  /// - Returns: also what was left out.
  public func named(as known: Set<String>) -> (file: Safetensors, prefix: String?) {
    let names = file.tensors.keys
    guard let first = names.min(), !names.contains(where: known.contains) else {
      return (file, nil)
    }
    var prefix = ""
    for part in first.split(separator: ".", omittingEmptySubsequences: false).dropLast() {
      prefix += part + "."
      guard names.allSatisfy({ $0.hasPrefix(prefix) }) else { break }
      let rest = file.withoutPrefix(prefix)
      if rest.tensors.keys.contains(where: known.contains) { return (rest, prefix) }
    }
    return (file, nil)
  }

  /// How a line tells of what was left out of the names.
  public func note(of prefix: String) -> String {
    "\(path): every name starts with '\(prefix)', which is left out"
  }

  // MARK: Other formats

  /// What a file is that is no safetensors file, and what to do with it; `nil` where that is unknown.
  private static func foreignFormat(of path: String) -> String? {
    guard let head = FileSystem.contents(of: path, upToCount: 4096) else { return nil }
    func starts(_ bytes: [UInt8]) -> Bool { head.starts(with: bytes) }
    let target = path.parentPath.appendingPath(path.pathStem + ".safetensors").shellWord
    let words = "\(path.shellWord) \(target)"
    // A zip archive, in which NumPy puts arrays.
    if starts(Array("PK".utf8) + [3, 4]) {
      if head.range(of: Data(".npy".utf8)) != nil {
        return "NumPy's .npz; write the arrays as safetensors: python3 -c 'import sys, numpy; "
          + "from safetensors.numpy import save_file; save_file(dict(numpy.load(sys.argv[1])), "
          + "sys.argv[2])' \(words)"
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
