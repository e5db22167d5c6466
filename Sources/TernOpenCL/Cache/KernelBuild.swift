/// A kernel and what its source is specialised by: what is compiled once.
package struct KernelBuild: Hashable, Sendable {
  /// The file that the kernel stands in, such as `elementwise/unary`.
  package let file: String
  package let kernel: String
  /// `NAME=VALUE`, sorted.
  package let defines: [String]
  /// What the compiler is told besides, of the whole program.
  package let options: String

  package init(file: String, kernel: String, defines: [String: String], options: String = "") {
    (self.file, self.kernel, self.options) = (file, kernel, options)
    self.defines = defines.map { "\($0.key)=\($0.value)" }.sorted()
  }

  init(file: String, kernel: String, defines: [String], options: String) {
    (self.file, self.kernel, self.options) = (file, kernel, options)
    self.defines = defines
  }

  init(_ request: KernelRequest) {
    self.init(
      file: request.file, kernel: request.name, defines: request.defines, options: request.options)
  }

  /// As the kernel by itself would be compiled.
  ///
  /// Numbers are as the language leaves them to a driver: products may be fused with sums, divisions
  /// may be off by 2.5 units in the last place. Nothing is asked for that is less exact.
  package var commandLine: String {
    ([ProgramSource.options(options)] + defines.map { "-D\($0)" }).joined(separator: " ")
  }
}

/// A program: kernels of one file, each with the defines that it needs. Compilers read a program's headers
/// once, whatever it has.
package struct ProgramSource: Hashable, Sendable {
  package let file: String
  package let options: String
  /// Sorted.
  package let kernels: [KernelBuild]

  /// A driver compiles the kernels of a program one after the other, and programs side by side.
  private static let mostKernels = 16

  /// - Precondition: kernels of one file with the same options.
  init(_ kernels: [KernelBuild]) {
    (file, options) = (kernels[0].file, kernels[0].options)
    self.kernels = kernels.sorted {
      ($0.defines.joined(separator: " "), $0.kernel)
        < ($1.defines.joined(separator: " "), $1.kernel)
    }
  }

  /// The programs that have all of some kernels, in order of their files.
  package static func all(of kernels: some Collection<KernelBuild>) -> [ProgramSource] {
    Dictionary(grouping: Set(kernels)) { [$0.file, $0.options] }.sorted {
      $0.key.lexicographicallyPrecedes($1.key)
    }.flatMap { _, kernels in
      let all = ProgramSource(kernels).kernels
      let count = (all.count + mostKernels - 1) / mostKernels
      return (0..<count).map { index in
        ProgramSource(Array(all[all.count * index / count..<all.count * (index + 1) / count]))
      }
    }
  }

  static func options(_ options: String) -> String {
    "-cl-std=CL1.2" + (options.isEmpty ? "" : " \(options)")
  }

  /// The kernels that are compiled with the same defines.
  private var blocks: [(defines: [String], kernels: Set<String>)] {
    kernels.reduce(into: []) { blocks, kernel in
      if blocks.last?.defines == kernel.defines {
        blocks[blocks.count - 1].kernels.insert(kernel.kernel)
      } else {
        blocks.append((kernel.defines, [kernel.kernel]))
      }
    }
  }

  /// The name of a kernel in the program: its own, and with other defines its own with a number.
  func name(of build: KernelBuild) -> String {
    let index = blocks.firstIndex { $0.defines == build.defines }!
    return Self.name(build.kernel, block: index)
  }

  private static func name(_ kernel: String, block: Int) -> String {
    block == 0 ? kernel : "\(kernel)_\(block + 1)"
  }

  /// The text to compile. The file stands in it once for every set of defines, with the kernels that are
  /// asked for; then what it defines is forgotten. Names are told apart by macros.
  package var text: String {
    let source = KernelSource.named(file)
    let (blocks, names) = (blocks, source.functionNames + source.kernelNames)
    return blocks.enumerated().map { index, block in
      var lines = block.defines.map { define in
        let parts = define.split(separator: "=", maxSplits: 1)
        return "#define \(parts[0]) \(parts.count == 2 ? parts[1] : "")"
      }
      if index > 0 {
        // What is pasted behind the name of a function, as in relu_slope, makes the name of another.
        lines += source.functionNames.map { "#define \($0) n\(index + 1)_\($0)" }
        lines += source.kernelNames.map { "#define \($0) \(Self.name($0, block: index))" }
      }
      lines.append(source.text(kernels: block.kernels))
      if index + 1 < blocks.count {
        lines +=
          (block.defines.map { String($0.prefix { $0 != "=" }) } + source.macroNames
          + (index > 0 ? names : [])).map { "#undef \($0)" }
      }
      return lines.joined(separator: "\n")
    }.joined(separator: "\n")
  }
}
