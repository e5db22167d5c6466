import Foundation
import TernCore
import TernRuntime

/// Which kernels earlier processes compiled together, so that others find them compiled: a driver or a
/// folder that keeps programs knows them by their whole text.
///
/// A file for each of the kernel files has a line for each program: its kernels, each followed by its
/// defines. No kernel is in two of them.
struct ProgramCompositions: Sendable {
  private let directory: CacheDirectory
  private let device: String

  private static let maximumByteCount = 4 << 20

  init(_ directory: CacheDirectory, device: CLDevice) {
    self.directory = directory
    self.device = device.identity
  }

  /// The programs of earlier processes that have some of the kernels.
  func programs(having kernels: Set<KernelBuild>) -> [ProgramSource] {
    files(of: kernels).flatMap { known($0, options: $1) }.filter {
      !kernels.isDisjoint(with: $0.kernels)
    }
  }

  /// Writes down what was compiled. A cache that cannot be written is no reason to stop.
  func note(_ programs: [ProgramSource]) {
    for (file, options) in files(of: programs.flatMap(\.kernels)) {
      try? directory.update(name(file, options: options)) {
        // Another process may have written meanwhile: its programs stay.
        var all = known(file, options: options)
        for program in programs where program.file == file && program.options == options {
          if all.allSatisfy({ Set($0.kernels).isDisjoint(with: program.kernels) }) {
            all.append(program)
          }
        }
        return Data(all.map { $0.line + "\n" }.joined().utf8)
      }
    }
  }

  private func files(of kernels: some Collection<KernelBuild>) -> [(file: String, options: String)]
  {
    Set(kernels.map { [$0.file, $0.options] }).sorted { $0.lexicographicallyPrecedes($1) }
      .map { ($0[0], $0[1]) }
  }

  private func name(_ file: String, options: String) -> String {
    let key = [device, file, options, KernelSource.named(file).text].joined(separator: "\n")
    return "compositions/\(hexadecimal(FNV1a.hash64(key.utf8)))"
  }

  private func known(_ file: String, options: String) -> [ProgramSource] {
    guard
      let data = directory.read(
        name(file, options: options), maximumByteCount: Self.maximumByteCount)
    else { return [] }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap {
      ProgramSource(line: $0, file: file, options: options)
    }
  }
}

extension ProgramSource {
  fileprivate var line: String {
    kernels.map { ([$0.kernel] + $0.defines).joined(separator: " ") }.joined(separator: ";")
  }

  /// - Returns: `nil` where the line is not one that ``line`` makes of kernels that there are.
  fileprivate init?(line: Substring, file: String, options: String) {
    let names = Set(KernelSource.named(file).kernelNames)
    var kernels: [KernelBuild] = []
    for part in line.split(separator: ";", omittingEmptySubsequences: false) {
      let words = part.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      guard let kernel = words.first, names.contains(kernel),
        words.dropFirst().allSatisfy(Self.isDefine)
      else { return nil }
      kernels.append(
        KernelBuild(
          file: file, kernel: kernel, defines: Array(words.dropFirst()), options: options))
    }
    guard Set(kernels).count == kernels.count else { return nil }
    self.init(kernels)
  }

  private static func isDefine(_ word: String) -> Bool {
    let parts = word.utf8.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        !part.isEmpty
          && part.allSatisfy {
            $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
              || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
              || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0
              || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0
          }
      }
  }
}
