import Foundation
import TernCore
import Testing

@Suite struct OutputFileTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "tern-output-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  private func names(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  /// Links where somebody guesses that a temporary file will be.
  @Test func linksOfOthersAreNotFollowed() throws {
    try withFolder { folder in
      let (out, other) = ("\(folder)/out", "\(folder)/other")
      try Data("theirs".utf8).write(to: URL(fileURLWithPath: other))
      for link in [out + ".tmp", "\(folder)/.out.tmp"] { #expect(symlink(other, link) == 0) }
      try AtomicFile.write(Data("mine".utf8), to: out)
      #expect(FileManager.default.contents(atPath: other) == Data("theirs".utf8))
      #expect(FileManager.default.contents(atPath: out) == Data("mine".utf8))
      #expect(try names(folder) == [".out.tmp", "other", "out", "out.tmp"])
    }
  }

  /// A link at the path itself stays, and what it leads to.
  @Test func linksAreSaidAndLeft() throws {
    try withFolder { folder in
      let (link, other) = ("\(folder)/link", "\(folder)/other")
      for (target, content) in [(other, "theirs"), ("\(folder)/none", nil), (folder, nil)] {
        if let content { try Data(content.utf8).write(to: URL(fileURLWithPath: target)) }
        #expect(symlink(target, link) == 0)
        let before = try names(folder)
        let writers: [() throws -> Void] = [
          { try AtomicFile.write(Data("mine".utf8), to: link) },
          { try AppendedFile.append(Data("mine".utf8), to: link) }, { try AtomicFile.check(link) },
        ]
        for (number, write) in writers.enumerated() where target != folder || number < 2 {
          let error = #expect(throws: TernError.self) { try write() }
          #expect(error?.kind == .cannotWrite)
          #expect(error?.message.hasPrefix("\(link): a link to \(target)") == true, "\(error!)")
        }
        #expect(try names(folder) == before && FileSystem.linkTarget(link) == target)
        if let content {
          #expect(FileManager.default.contents(atPath: target) == Data(content.utf8))
        }
        #expect(unlink(link) == 0)
      }
    }
  }

  @Test func whatIsNoFileIsWrittenToAsItIs() throws {
    try withFolder { folder in
      // A pipe, and a link to one.
      let (pipe, link) = ("\(folder)/pipe", "\(folder)/link")
      #expect(mkfifo(pipe, 0o600) == 0 && symlink(pipe, link) == 0)
      for path in [pipe, link] {
        // Open at both ends, so that nobody waits.
        let reader = open(pipe, O_RDWR | O_NONBLOCK)
        defer { close(reader) }
        try AtomicFile.write(Data("through".utf8), to: path)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(reader, &bytes, bytes.count)
        #expect(Array(bytes.prefix(max(count, 0))) == Array("through".utf8))
      }
      #expect(symlink("/dev/null", "\(folder)/null") == 0)
      try AtomicFile.write(Data("gone".utf8), to: "\(folder)/null")
      try AtomicFile.write(Data("gone".utf8), to: "/dev/null")
      var status = stat()
      for (name, kind) in [("pipe", S_IFIFO), ("link", S_IFLNK), ("null", S_IFLNK)] {
        #expect(lstat("\(folder)/\(name)", &status) == 0 && status.st_mode & S_IFMT == kind)
      }
      #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
      #expect(throws: TernError.self) { try AtomicFile.write(Data([1]), to: "/dev/full") }
    }
  }

  @Test func aFailureLeavesNothing() throws {
    try withFolder { folder in
      for path in ["\(folder)/none/out", folder] {
        do {
          try AtomicFile.write(Data("x".utf8), to: path)
          Issue.record("\(path) was written")
        } catch let error as TernError { #expect(error.kind == .cannotWrite) }
        #expect(throws: TernError.self) { try AtomicFile.check(path) }
      }
      #expect(try names(folder).isEmpty)
      try AtomicFile.check("\(folder)/new")
      #expect(try names(folder).isEmpty)
    }
  }

  @Test func oneOfManyWritersWins() throws {
    try withFolder { folder in
      DispatchQueue.concurrentPerform(iterations: 16) { number in
        let data = Data(repeating: UInt8(number), count: 100_000)
        for _ in 0..<5 { try? AtomicFile.write(data, to: "\(folder)/out") }
      }
      let content = try #require(FileManager.default.contents(atPath: "\(folder)/out"))
      #expect(content.count == 100_000 && Set(content).count == 1)
      #expect(try names(folder) == ["out"])
    }
  }

  @Test func aLockIsHeldByOneAndSaysByWhom() throws {
    try withFolder { folder in
      var lock: FileLock? = try FileLock.ofFolder("\(folder)/run")
      do {
        _ = try FileLock.ofFolder("\(folder)/run")
        Issue.record("two hold the lock")
      } catch let error as TernError {
        #expect(error.kind == .cannotWrite)
        #expect(error.message == "\(folder)/run: in use by process \(getpid())")
      }
      withExtendedLifetime(lock) {}
      lock = nil
      // A folder that was made for the lock alone is gone with it; any other stays, without the file.
      #expect(try names(folder).isEmpty)
      try FileManager.default.createDirectory(
        atPath: "\(folder)/a/run", withIntermediateDirectories: true)
      for path in ["\(folder)/a/run", "\(folder)/a/new/run"] {
        let again = try FileLock.ofFolder(path)
        #expect(try names(path) == [FileLock.fileName])
        withExtendedLifetime(again) {}
      }
      #expect(try names("\(folder)/a") == ["run"])
      #expect(try names("\(folder)/a/run").isEmpty)
    }
  }
}
