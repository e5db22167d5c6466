// swift-tools-version: 6.2
import PackageDescription

// Programs that use Tern as any other package would: they import its product and nothing else.
let package = Package(
  name: "tern-examples",
  dependencies: [.package(name: "tern", path: "..")],
  targets: [
    "FirstProgram", "CustomLayer", "CustomLoop", "CustomOperation", "Regression",
  ].map {
    .executableTarget(name: $0, dependencies: [.product(name: "Tern", package: "tern")])
  })
