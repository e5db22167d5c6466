import CLMDB
import Foundation
import TernCore

/// An LMDB database that is read, through liblmdb.
///
/// It is opened without locks, so that a folder that cannot be written to does; nobody may write to it
/// meanwhile. Values lie in the mapped file and stay there as long as this object.
final class LMDBFile: @unchecked Sendable {
  /// The file itself.
  let path: String
  let count: Int
  private let environment: OpaquePointer
  private let transaction: OpaquePointer
  private let database: MDB_dbi
  /// A transaction is one thread's at a time.
  private let lock = NSLock()

  /// An entry; the value's bytes are the file's.
  struct Entry: @unchecked Sendable {
    let key: [UInt8]
    let value: UnsafeRawBufferPointer

    /// Without a copy: it is valid as long as the file is open.
    var data: Data {
      guard let start = value.baseAddress, value.count > 0 else { return Data() }
      return Data(
        bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: value.count,
        deallocator: .none)
    }

    /// The key as people read it.
    var name: String {
      String(FileName.text(key).prefix(80)).trimmingCharacters(in: .controlCharacters)
    }
  }

  /// The file of a folder, or of a path that is the file.
  static func file(of path: String) -> String {
    FileSystem.isFolder(path) ? path.appendingPath("data.mdb") : path
  }

  /// - Parameter isChecked: whether ``LMDBCheck`` has seen the file as it is.
  /// - Throws: ``TernError`` where it cannot be opened.
  init(_ path: String, isChecked: Bool = false) throws {
    let file = Self.file(of: path)
    self.path = file
    if !isChecked { try LMDBCheck.check(file) }
    func check(_ status: Int32) throws {
      guard status == MDB_SUCCESS else {
        throw TernError(.badData, "\(file): \(String(cString: mdb_strerror(status)))")
      }
    }
    var environment: OpaquePointer?
    try check(mdb_env_create(&environment))
    var transaction: OpaquePointer?
    do {
      let flags = UInt32(MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NOSUBDIR)
      try check(file.withFilePath { mdb_env_open(environment, $0, flags, 0o444) })
      try check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction))
      var database = MDB_dbi()
      try check(mdb_dbi_open(transaction, nil, 0, &database))
      var statistics = MDB_stat()
      try check(mdb_stat(transaction, database, &statistics))
      self.database = database
      count = statistics.ms_entries
    } catch {
      if let transaction { mdb_txn_abort(transaction) }
      mdb_env_close(environment)
      throw error
    }
    (self.environment, self.transaction) = (environment!, transaction!)
  }

  deinit {
    mdb_txn_abort(transaction)
    mdb_env_close(environment)
  }

  /// Goes through entries in the order of their keys, until `body` returns false.
  ///
  /// - Parameter key: where to begin; `nil` for the first.
  func visit(from key: [UInt8]? = nil, _ body: (Entry) throws -> Bool) throws {
    lock.lock()
    defer { lock.unlock() }
    func fault(_ status: Int32) -> TernError {
      TernError(.badData, "\(path): \(String(cString: mdb_strerror(status)))")
    }
    var cursor: OpaquePointer?
    let opened = mdb_cursor_open(transaction, database, &cursor)
    guard opened == MDB_SUCCESS else { throw fault(opened) }
    defer { mdb_cursor_close(cursor) }
    var found = MDB_val()
    var value = MDB_val()
    var status: Int32
    if var key {
      status = key.withUnsafeMutableBytes {
        found = MDB_val(mv_size: $0.count, mv_data: $0.baseAddress)
        return mdb_cursor_get(cursor, &found, &value, MDB_SET_RANGE)
      }
    } else {
      status = mdb_cursor_get(cursor, &found, &value, MDB_FIRST)
    }
    while status == MDB_SUCCESS {
      let entry = Entry(
        key: [UInt8](UnsafeRawBufferPointer(start: found.mv_data, count: found.mv_size)),
        value: UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
      guard try body(entry) else { return }
      status = mdb_cursor_get(cursor, &found, &value, MDB_NEXT)
    }
    guard status == MDB_NOTFOUND else { throw fault(status) }
  }
}
