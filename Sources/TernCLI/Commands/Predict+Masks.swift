import Foundation
import Tern

// The answers of networks that give a class per pixel.

extension Predict {
  private func maskPath(_ sample: String, in directory: String) -> String {
    let name = sample.pathStem
    return directory.appendingPath(name + ".png")
  }

  /// Refuses two samples whose masks would be written to the same file.
  func checkMaskNames(_ samples: [String]) throws {
    guard let masks else { return }
    var seen: [String: String] = [:]
    for sample in samples {
      let path = maskPath(sample, in: masks)
      if let other = seen.updateValue(sample, forKey: path), other != sample {
        throw TernError(.usage, "masks: \(other) and \(sample) would both be written to \(path)")
      }
    }
  }

  /// Writes a mask where one is asked for, and tells the part that each class has of it.
  func show(_ sample: String, _ mask: MaskPicture, _ classNames: [String]) throws {
    let path = masks.map { maskPath(sample, in: $0) }
    if let path { try write(mask, to: path, of: sample) }
    let shares = mask.shares(classCount: 256)
    let found = shares.indices.filter { shares[$0] > 0 }.sorted {
      (-shares[$0], $0) < (-shares[$1], $1)
    }.prefix(top)
    func name(_ index: Int) -> String {
      index < classNames.count ? classNames[index] : "\(index)"
    }
    if json {
      Output.result(
        JSON.object([
          "sample": .string(sample), "mask": path.map(JSON.string) ?? .null,
          "classes": .array(
            found.map {
              .object([
                "class": .int($0), "name": .string(name($0)), "share": .double(shares[$0]),
              ])
            }),
        ]))
      return
    }
    let classes = found.map { "\(name($0)) \(Format.fixed(100 * shares[$0], 1)) %" }
    Output.result(
      ("\(sample): \(classes.joined(separator: ", "))" + (path.map { "; \($0)" } ?? "")).visible)
  }

  private func write(_ mask: MaskPicture, to path: String, of sample: String) throws {
    // The pictures may lie in the folder that the masks are meant for.
    guard !FileSystem.isSame(path, sample) else {
      throw TernError(.usage, "masks: \(path) is the picture itself; choose another folder")
    }
    let directory = path.parentPath
    guard FileSystem.createFolder(directory) else {
      throw TernError(.cannotWrite, "\(directory): cannot create the folder")
    }
    try AtomicFile.write(mask.png, to: path)
  }
}
