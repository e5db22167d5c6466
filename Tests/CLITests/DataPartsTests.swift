import Foundation
import Tern
import Testing

/// What of a data set is used for what, what is left out, and names of files that are any bytes.
@Suite struct DataPartsTests {
  private func pictures(_ folders: [String], in workspace: Workspace, count: Int = 6) throws {
    for folder in folders {
      for (name, brightness) in [("cat", 10), ("dog", 200)] {
        try workspace.writePictures("\(folder)/\(name)", brightness, count: count)
      }
    }
  }

  private func start(_ data: String, in workspace: Workspace, _ more: [String] = []) throws
    -> (data: JSON?, errors: String, status: Int32)
  {
    let result = try Command.run(
      [
        "train", "linear", "--data", data, "--image-size", "8", "--epochs", "1", "--device", "cpu",
        "--json", "--out", "run-\(UUID().uuidString)",
      ] + more, in: workspace.path)
    let first = result.output.split(separator: "\n").first.map(String.init) ?? "{}"
    return (try JSON(parsing: first)["data"], result.errors, result.status)
  }

  private func notes(_ data: JSON?) -> String { data?["notes"]?.description ?? "" }

  @Test(arguments: [
    (["train", "valid"], 12, 12, 12), (["train", "validation"], 12, 12, 12),
    (["TRAIN", "Dev"], 12, 12, 12), (["Training", "Test"], 12, nil, 12),
    (["train", "val", "test"], 12, 12, 12), (["train", "VALID", "testing"], 12, 12, 12),
  ])
  func partsAreKnownByTheirNames(_ folders: [String], training: Int, validation: Int?, test: Int)
    throws
  {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try pictures(folders.map { "data/\($0)" }, in: workspace)
    let (data, errors, status) = try start("images:data", in: workspace)
    #expect(status == 0, "\(errors)")
    #expect(data?["training"] == .int(training), "\(notes(data))")
    #expect(data?["validation"] ?? .null == validation.map(JSON.int) ?? .null, "\(notes(data))")
    #expect(data?["test"] == .int(test), "\(notes(data))")
    for folder in folders { #expect(notes(data).contains("(\(folder))"), "\(notes(data))") }
  }

  @Test func whatIsLeftOutIsCounted() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try pictures(["data/train", "data/tets"], in: workspace)
    for name in ["a.webp", "b.webp", "notes.txt", ".hidden.png"] {
      try workspace.write("data/train/cat/\(name)", "x")
    }
    #expect(FileSystem.createFolder(workspace.file("data/train/cat/2020")))
    let run = try Command.run(
      [
        "train", "linear", "--data", "images:data", "--image-size", "8", "--epochs", "1",
        "--device",
        "cpu",
      ], in: workspace.path)
    #expect(run.status == 0)
    for text in [
      "training 10 and test 2", "every fifth sample of each class is held out",
      "classes: 2: cat, dog",
      "folder 'tets' (did you mean 'test'?)", "2 .webp", "1 .txt", "1 folder within classes",
      "1 hidden",
      "3 files neither PNG nor JPEG",
    ] { #expect(run.errors.contains(text), "\(text): \(run.errors)") }
    #expect(run.errors.split(separator: "\n").count { $0.hasPrefix("left out") } == 1)
    let twice = try Workspace()
    defer { twice.remove() }
    try pictures(["data/train", "data/val", "data/Valid"], in: twice)
    let refused = try start("images:data", in: twice)
    #expect(refused.status == 65 && refused.errors.contains("two folders for the validation set"))
  }

  /// Folders that are called as parts, or as pictures and masks are, may be classes.
  @Test func classesMayBeCalledAsParts() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for (index, name) in ["train", "ship", "test"].enumerated() {
      try workspace.writePictures("vehicles/\(name)", index * 100)
    }
    for (index, name) in ["images", "masks", "none"].enumerated() {
      try workspace.writePictures("faces/\(name)", index * 100)
    }
    for folder in ["vehicles", "faces"] {
      let (data, errors, status) = try start("images:\(folder)", in: workspace)
      #expect(status == 0, "\(errors)")
      #expect(data?["classes"] == .int(3), "\(notes(data))")
      #expect(data?["training"] == .int(15), "\(notes(data))")
    }
  }

  @Test func partsOfArraysAreKnownByTheirNames() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    func arrays(_ name: String, _ parts: [String: (String, String)], count: Int = 20) throws {
      var tensors: [String: HostTensor] = ["meta": HostTensor(repeating: 0, [3])]
      for (x, y) in parts.values {
        tensors[x] = HostTensor([count, 2], (0..<2 * count).map { Float($0 % 7) })
        tensors[y] = HostTensor([count], (0..<count).map { Int32($0 % 2) })
      }
      try NPZWriter.encoded(tensors).write(to: URL(fileURLWithPath: workspace.file(name)))
    }
    try arrays("a.npz", ["train": ("x_train", "y_train"), "val": ("x_val", "y_val")])
    try arrays(
      "b.npz",
      [
        "train": ("train_images", "train_labels"), "val": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
      ])
    let a = try start("npz:a.npz", in: workspace)
    #expect(
      a.data?["training"] == .int(20) && a.data?["validation"] == .int(20), "\(notes(a.data))")
    #expect(notes(a.data).contains("array 'meta'"))
    let b = try start("npz:b.npz", in: workspace)
    #expect(b.data?["test"] == .int(20) && b.data?["validation"] == .int(20), "\(notes(b.data))")
  }

  /// A class is the folder that the system lists, whatever its bytes, and a run is written to the folder
  /// that was asked for.
  @Test func namesOfFilesAreBytes() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let (latin, out) = (FileName.text([0x63, 0x61, 0x66, 0xE9]), FileName.text([0x72, 0xE9]))
    try workspace.writePictures("data/\(latin)", 10)
    try workspace.writePictures("data/tea", 200)
    let train = try Command.shell(
      "tern train linear --data images:data --image-size 8 --epochs 1 --device cpu -q --out $'r\\xe9' "
        + "&& tern test $'r\\xe9' --json && tern predict $'r\\xe9' $'data/caf\\xe9' --json "
        + "&& tern train --resume $'r\\xe9' --epochs 2 -q "
        + "&& tern export $'r\\xe9' --out $'\\xff.npz'",
      in: workspace.path)
    #expect(train.status == 0, "\(train.errors)")
    let names = try #require(FileSystem.names(in: workspace.path)).filter { !$0.hasPrefix(".") }
    #expect(Set(names) == ["data", out, FileName.text([0xFF]) + ".npz"], "\(names)")
    #expect(train.output.contains("\"\(latin)\""), "\(train.output)")
  }

  /// é is é, composed or not.
  @Test func aClassMayBeWrittenInTwoForms() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writePictures("data/train/caf\u{E9}", 10)
    try workspace.writePictures("data/val/cafe\u{301}", 10)
    for part in ["train", "val"] { try workspace.writePictures("data/\(part)/tea", 200) }
    let parts = try start("images:data", in: workspace)
    #expect(parts.status == 0, "\(parts.errors)")
    #expect(parts.data?["classes"] == .int(2) && parts.data?["validation"] == .int(12))
    #expect(notes(parts.data).contains("two forms of Unicode"))
    try workspace.writePictures("data/train/cafe\u{301}", 10)
    let both = try start("images:data", in: workspace)
    #expect(
      both.data?["classes"] == .int(2) && both.data?["training"] == .int(18), "\(both.errors)")
  }

  @Test func damagedPicturesMayBeSkipped() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try pictures(["data"], in: workspace)
    let damaged = Workspace.picture(10).prefix(60)
    for name in ["cat/1.png", "dog/4.png"] {
      try damaged.write(to: URL(fileURLWithPath: workspace.file("data/\(name)")))
    }
    let stopped = try start("images:data", in: workspace)
    #expect(stopped.status == 65)
    let skipping = try Command.run(
      [
        "train", "linear", "--data", "images:data", "--image-size", "8", "--epochs", "1",
        "--device",
        "cpu", "--on-error", "skip", "--out", "run",
      ], in: workspace.path)
    #expect(skipping.status == 0, "\(skipping.errors)")
    for text in ["data/cat/1.png", "data/dog/4.png", "skipped 2 of 12 pictures"] {
      #expect(skipping.errors.contains(text), "\(skipping.errors)")
    }
    for (verb, status) in [
      (["test", "run", "--json"], 0),
      (["test", "run", "--data", "images:data/../data", "--json"], 0),
      (["test", "run", "--on-error", "stop"], 65),
      (["predict", "run", "data/cat", "--on-error", "skip", "--json"], 0),
      (["predict", "run", "data/cat", "--json"], 65),
      (["predict", "run", "data/cat/1.png", "--on-error", "skip"], 65),
    ] as [([String], Int32)] {
      let result = try Command.run(verb, in: workspace.path)
      #expect(result.status == status, "\(verb): \(result.errors)")
    }
    let stop = try Command.run(
      ["predict", "run", "data/cat", "--on-error", "stop"], in: workspace.path)
    #expect(stop.status == 65 && stop.output.isEmpty)
    for name in ["cat/1.png", "dog/4.png"] {
      try FileManager.default.removeItem(atPath: workspace.file("data/\(name)"))
    }
    let resumed = try Command.run(
      ["train", "--resume", "run", "--epochs", "2"], in: workspace.path)
    #expect(resumed.status == 0, "\(resumed.errors)")
  }
}
