import Foundation
import TernCore
import TernData

/// The weights that a path names: a safetensors file, or the folder of a run, whose last checkpoint
/// counts.
public struct WeightsFile: Sendable {
  /// The file that was read.
  public let path: String
  /// What is in the file.
  public let file: Safetensors

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
    let torch =
      "python3 -c 'import sys, torch; from safetensors.torch import save_file; "
      + "w = torch.load(sys.argv[1], map_location=\"cpu\", weights_only=True); "
      + "w = w.get(\"state_dict\", w.get(\"model\", w)); "
      + "save_file({k: v.contiguous() for k, v in w.items()}, sys.argv[2])' \(words)"
    // A zip archive, in which torch.save puts a pickle, and NumPy arrays; or the pickle alone.
    if starts(Array("PK".utf8) + [3, 4]) {
      if head.range(of: Data("data.pkl".utf8)) != nil {
        return "a PyTorch file; write its weights as safetensors: \(torch)"
      }
      if head.range(of: Data(".npy".utf8)) != nil {
        return "NumPy's .npz; write the arrays as safetensors: python3 -c 'import sys, numpy; "
          + "from safetensors.numpy import save_file; save_file(dict(numpy.load(sys.argv[1])), "
          + "sys.argv[2])' \(words)"
      }
      return "a zip archive; expected a safetensors file"
    }
    if starts([0x80, 2]) || starts([0x80, 3]) || starts([0x80, 4]) || starts([0x80, 5]) {
      return "a Python pickle, as PyTorch wrote them before 1.6; write it as safetensors: \(torch)"
    }
    if starts([0x89] + Array("HDF".utf8)) {
      return "an HDF5 file, as Keras writes them; save its weights as safetensors, under PyTorch's "
        + "names and in its layouts"
    }
    if starts([0x93] + Array("NUMPY".utf8)) {
      return "one NumPy array; expected a safetensors file with a tensor per parameter"
    }
    let suffixes = [
      "onnx": "an ONNX file", "caffemodel": "Caffe's weights", "prototxt": "a Caffe network",
      "pb": "a TensorFlow graph", "tflite": "a TensorFlow Lite file", "gguf": "a GGUF file",
      "yaml": "a model file or settings",
    ]
    return suffixes[path.pathSuffix.lowercased()].map {
      "\($0); expected the weights as a safetensors file, under PyTorch's names"
    }
  }
}
