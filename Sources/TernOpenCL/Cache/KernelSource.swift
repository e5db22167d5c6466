import Synchronization
import TernCore
import TernKernels
import TernRuntime

/// A kernel file, such as `elementwise/unary`, with what it includes put in.
///
/// Functions, kernels and types start at the start of a line, where nothing else does, and kernels end
/// there.
package final class KernelSource: Sendable {
  /// Lines that belong to a kernel, or to all of them.
  private let parts: [(kernel: String?, lines: String)]
  /// Whether there is no such file, but what was written for a graph.
  package let isGenerated: Bool
  /// What it declares: its kernels, its other functions and types, its macros.
  let kernelNames: [String]
  let functionNames: [String]
  let macroNames: [String]
  /// By kernel, the tensors among its parameters.
  private let tensors: [String: [TensorStorage]]

  private static let read = Mutex<[String: KernelSource]>([:])

  /// - Precondition: there is such a file.
  package static func named(_ file: String) -> KernelSource {
    if let source = read.withLock({ $0[file] }) { return source }
    guard let text = tern_kernel_source(file) else {
      preconditionFailure("no kernel file named \(file)")
    }
    return note(KernelSource(file, String(cString: text)), as: file)
  }

  /// A kernel file that is written when it is needed.
  ///
  /// - Parameter stem: what its name begins with.
  /// - Returns: its name, by which ``named(_:)`` knows it from then on.
  static func generated(_ stem: String, _ text: String) -> String {
    let file = "\(stem)-\(hexadecimal(FNV1a.hash64(text.utf8)))"
    if read.withLock({ $0[file] }) == nil {
      note(KernelSource(file, text, isGenerated: true), as: file)
    }
    return file
  }

  /// The text of a file that was written when it was needed; `nil` for others.
  package static func generatedText(_ file: String) -> String? {
    let source = named(file)
    return source.isGenerated ? source.text : nil
  }

  @discardableResult
  private static func note(_ source: KernelSource, as file: String) -> KernelSource {
    read.withLock { $0[file] = source }
    return source
  }

  private init(_ file: String, _ text: String, isGenerated: Bool = false) {
    self.isGenerated = isGenerated
    var included: Set<String> = [file]
    var parts: [(kernel: String?, lines: String)] = []
    var (kernels, functions, macros): ([String], [String], [String]) = ([], [], [])
    var kernel: String?
    for line in Self.lines(of: file, text, &included) {
      if line.hasPrefix("__kernel ") {
        // What stands between `void` and a parenthesis.
        kernel = line.firstRange(of: "void ").map {
          String(line[$0.upperBound...].prefix { $0 != "(" })
        }
        kernels += kernel.map { [$0] } ?? []
      } else if line.hasPrefix("static ") || line.hasPrefix("INLINE ") {
        let attribute = line.firstRange(of: "__attribute__((always_inline)) ")
        functions += Self.word(before: "(", in: line[(attribute?.upperBound ?? line.startIndex)...])
      } else if line.hasPrefix("} ") {
        functions += Self.word(before: ";", in: line)
      } else if line.hasPrefix("#define ") {
        macros.append(String(line.dropFirst("#define ".count).prefix(while: Self.isOfWord)))
      }
      if let last = parts.last, last.kernel == kernel {
        parts[parts.count - 1].lines += "\n" + line
      } else {
        parts.append((kernel, String(line)))
      }
      if line == "}" { kernel = nil }
    }
    self.parts = parts
    (kernelNames, functionNames, macroNames) = (kernels, functions, Array(Set(macros)).sorted())
    tensors = Dictionary(
      parts.compactMap { part in
        part.kernel.map { ($0, TensorStorage.all(in: part.lines.prefix { $0 != "{" })) }
      }
    ) { first, _ in first }
  }

  /// - Parameter included: the files that are in already, this one too.
  private static func lines(
    of file: String, _ text: String, _ included: inout Set<String>
  ) -> [Substring] {
    let directive = "#include \""
    return text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
      guard line.hasPrefix(directive) else { return [line] }
      // Relative to the file: "window.cl" or "../common/common.cl".
      let path = line.dropFirst(directive.count).prefix { $0 != "\"" }.dropLast(".cl".count)
      let folder = file.prefix { $0 != "/" }
      let other = path.hasPrefix("../") ? String(path.dropFirst(3)) : "\(folder)/\(path)"
      guard included.insert(other).inserted else { return [] }
      guard let text = tern_kernel_source(other) else {
        preconditionFailure("no kernel file named \(other)")
      }
      return lines(of: other, String(cString: text), &included)
    }
  }

  /// The tensors among a kernel's parameters, in order: as what they are stored.
  func tensors(of kernel: String) -> [TensorStorage] { tensors[kernel] ?? [] }

  private static func isOfWord(_ character: Character) -> Bool {
    character == "_" || character.isLetter || character.isNumber
  }

  /// The word in front of the first `end` of a line, if there is one.
  private static func word(before end: Character, in line: Substring) -> [String] {
    guard let index = line.firstIndex(of: end) else { return [] }
    return line[..<index].split { !isOfWord($0) }.last.map { [String($0)] } ?? []
  }

  /// The whole text.
  package var text: String { parts.map(\.lines).joined(separator: "\n") }

  /// The text with some of its kernels alone: others would be compiled with defines that were not meant
  /// for them.
  package func text(kernels: Set<String>) -> String {
    parts.filter { $0.kernel.map(kernels.contains) ?? true }.map(\.lines).joined(separator: "\n")
  }
}
