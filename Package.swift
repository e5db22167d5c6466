// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// The file in which git notes every commit that is checked out; in a worktree `.git` is a file that
/// says where.
let gitLog: String = {
  let entry = Context.packageDirectory + "/.git"
  let prefix = "gitdir: "
  guard let text = try? String(contentsOfFile: entry, encoding: .utf8), text.hasPrefix(prefix)
  else {
    return entry + "/logs/HEAD"
  }
  let folder = text.dropFirst(prefix.count).trimmingCharacters(in: .newlines)
  return (folder.hasPrefix("/") ? folder : "\(Context.packageDirectory)/\(folder)") + "/logs/HEAD"
}()

/// The libraries Tern stands on, as Debian packages.
let systemLibraries: [Target] = [
  .systemLibrary(name: "COpenCL", providers: [.apt(["ocl-icd-opencl-dev", "opencl-headers"])]),
  .systemLibrary(name: "CCLBlast", providers: [.apt(["libclblast-dev"])]),
  .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
  .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
  .systemLibrary(name: "CPNG", providers: [.apt(["libpng-dev"])]),
  .systemLibrary(name: "CJPEG", providers: [.apt(["libjpeg-dev"])]),
  .systemLibrary(name: "CLMDB", providers: [.apt(["liblmdb-dev"])]),
]

let package = Package(
  name: "tern",
  products: [
    .library(name: "Tern", targets: ["Tern"]),
    .executable(name: "tern", targets: ["TernCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: systemLibraries + [
    // The OpenCL C sources, embedded in the binary.
    .target(
      name: "TernKernels", path: "Kernels",
      exclude: [
        "attention", "benchmark", "common", "convolution", "elementwise", "embedding", "loss",
        "matmul", "movement", "normalization", "optimizer", "pooling", "reduction",
      ],
      sources: ["kernels.c"]),
    // The benchmark suites, embedded in the binary.
    .target(
      name: "TernSuites", path: "Benchmarks/suites",
      exclude: [
        "alexnet.json", "conv.json", "gemm.json", "lenet5.json", "ops.json", "resnet50.json",
        "vgg16.json",
      ],
      sources: ["suites.c"]),

    // Pictures, decoded where a long jump of libpng or libjpeg does no harm.
    .target(
      name: "CImages", dependencies: ["CPNG", "CJPEG"],
      linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg")]),

    // Calls of the system that Swift's module of its library lacks.
    .target(name: "CSystem"),

    // The commit and the libraries of this build. Only the command depends on it: everything else would
    // be compiled again after every commit.
    .target(name: "TernBuild", cxxSettings: [.define("TERN_GIT_LOG", to: "\"\(gitLog)\"")]),

    // Inner loops with instructions of newer processors, asked for at run time.
    .target(name: "CMicrokernels"),

    // The calls of HDF5, in a process that loads its library where a file is read.
    .target(name: "CHDF5"),

    // The threads that run loops, oneDNN's too.
    .target(name: "CTeam"),

    // The calls of MPI, of a library that is loaded where a launcher asks for it.
    .target(name: "CMPI"),

    // A target imports only what stands above it.
    .target(
      name: "TernCore", dependencies: ["CSystem", .product(name: "Yams", package: "Yams")]),
    .target(name: "TernGraph", dependencies: ["TernCore"]),
    .target(name: "TernRuntime", dependencies: ["TernCore", "TernGraph"]),
    .target(name: "TernReference", dependencies: ["TernCore", "TernGraph", "TernRuntime"]),
    .target(
      name: "TernCPU",
      dependencies: [
        "TernCore", "TernGraph", "TernRuntime", "CMicrokernels", "COneDNN", "CTeam",
      ]),
    .target(
      name: "TernOpenCL",
      dependencies: [
        "TernCore", "TernGraph", "TernRuntime", "TernKernels", "COpenCL", "CCLBlast",
      ]),
    .target(
      name: "TernNN",
      dependencies: ["TernCore", "TernGraph", .product(name: "Yams", package: "Yams")],
      exclude: ["Models/ModelFile.md"]),
    .target(name: "TernOptim", dependencies: ["TernCore", "TernGraph"]),
    .target(
      name: "TernData",
      dependencies: ["TernCore", "CHDF5", "CImages", "CLMDB", "CMicrokernels", "CZlib"]),
    .target(
      name: "TernFormats", dependencies: ["TernCore", "TernGraph", "TernNN", "TernData"]),
    .target(name: "TernCluster", dependencies: ["TernCore", "CMPI"]),
    .target(
      name: "TernTrain",
      dependencies: [
        "TernCluster", "TernCore", "TernGraph", "TernRuntime", "TernNN", "TernOptim", "TernData",
        "TernFormats",
      ]),
    .target(
      name: "Tern",
      dependencies: [
        "TernCore", "TernGraph", "TernRuntime", "TernReference", "TernCPU", "TernOpenCL", "TernNN",
        "TernOptim", "TernData", "TernFormats", "TernCluster", "TernTrain",
      ]),
    .target(
      name: "TernConformance", dependencies: ["Tern", "TernFormats", "TernReference"]),
    .target(
      name: "TernBenchmark",
      dependencies: ["Tern", "TernConformance", "TernOpenCL", "TernReference", "TernSuites"],
      exclude: ["Suites.md"]),
    .executableTarget(
      name: "TernCLI",
      dependencies: [
        "Tern", "TernBuild", "TernBenchmark", "TernConformance",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // What several test targets need.
    .target(
      name: "TernTestSupport", dependencies: ["CLMDB", "Tern", "TernReference"],
      path: "Tests/TernTestSupport"),
    .testTarget(name: "TernCoreTests", dependencies: ["TernCore"]),
    .testTarget(name: "TernGraphTests", dependencies: ["Tern", "TernTestSupport"]),
    .testTarget(name: "TernRuntimeTests", dependencies: ["TernCore", "TernRuntime"]),
    .testTarget(
      name: "TernNNTests", dependencies: ["Tern", "TernTestSupport"],
      exclude: ["torchvision_parameters.txt"]),
    .testTarget(name: "TernOptimTests", dependencies: ["Tern", "TernTestSupport"]),
    .testTarget(
      name: "TernDataTests", dependencies: ["TernCore", "TernData", "CZlib", "TernTestSupport"]),
    .testTarget(
      name: "TernFormatsTests", dependencies: ["Tern", "TernFormats", "TernTestSupport"]),
    .testTarget(
      name: "TernTrainTests", dependencies: ["Tern", "TernTrain", "TernTestSupport"]),
    .testTarget(
      name: "CLITests", dependencies: ["Tern", "TernCLI", "TernTestSupport"]),
    .testTarget(
      name: "TernConformanceTests",
      dependencies: ["Tern", "TernBenchmark", "TernConformance", "TernTestSupport"]),
    .testTarget(
      name: "TernBenchmarkTests",
      dependencies: ["Tern", "TernBenchmark", "TernConformance", "TernTestSupport"]),
    .testTarget(name: "TernReferenceTests", dependencies: ["TernReference", "TernTestSupport"]),
    // Counts the calls to OpenCL.
    .target(name: "OpenCLCalls", dependencies: ["COpenCL"], path: "Tests/OpenCLCalls"),
    .testTarget(
      name: "TernOpenCLTests",
      dependencies: [
        "TernOpenCL", "TernReference", "Tern", "TernBenchmark", "TernConformance", "OpenCLCalls",
        "TernTestSupport",
      ]),
    .testTarget(
      name: "TernCPUTests", dependencies: ["CTeam", "TernCPU", "TernReference", "TernTestSupport"]),
  ],
  cLanguageStandard: .gnu2x,
  cxxLanguageStandard: .gnucxx17
)

// The same strict settings for every target.
for target in package.targets where target.type != .system {
  target.swiftSettings = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
  ]
  target.cSettings = (target.cSettings ?? []) + [.treatAllWarnings(as: .error)]
  target.cxxSettings = (target.cxxSettings ?? []) + [.treatAllWarnings(as: .error)]
  // They start `tern` and read what it prints: to optimise them takes longer than to run them.
  if target.name == "CLITests" { target.swiftSettings?.append(.unsafeFlags(["-Onone"])) }
}
