import CLMDB
import Foundation
import TernData

/// Writes LMDB databases as Caffe's tools do.
package enum LMDBWriter {
  package struct Failure: Error {
    package let text: String
  }

  /// Writes entries into the database of a folder, which is made.
  package static func write(
    _ entries: [(key: String, value: Data)], to directory: String
  ) throws {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    func check(_ status: Int32) throws {
      guard status == MDB_SUCCESS else {
        throw Failure(text: String(cString: mdb_strerror(status)))
      }
    }
    var environment: OpaquePointer?
    try check(mdb_env_create(&environment))
    defer { mdb_env_close(environment) }
    try check(mdb_env_set_mapsize(environment, 1 << 28))
    try check(mdb_env_open(environment, directory, UInt32(MDB_NOLOCK), 0o644))
    var transaction: OpaquePointer?
    try check(mdb_txn_begin(environment, nil, 0, &transaction))
    var database = MDB_dbi()
    try check(mdb_dbi_open(transaction, nil, 0, &database))
    for (key, value) in entries {
      var (keyBytes, valueBytes) = (Array(key.utf8), [UInt8](value))
      try keyBytes.withUnsafeMutableBytes { key in
        try valueBytes.withUnsafeMutableBytes { value in
          var (k, v) = (
            MDB_val(mv_size: key.count, mv_data: key.baseAddress),
            MDB_val(mv_size: value.count, mv_data: value.baseAddress)
          )
          try check(mdb_put(transaction, database, &k, &v, 0))
        }
      }
    }
    try check(mdb_txn_commit(transaction))
  }

  /// A sample of Caffe's: values by channel, row and column.
  package static func datum(
    _ shape: [Int], _ bytes: [UInt8] = [], floats: [Float] = [], label: Int
  ) -> Data {
    var writer = WireWriter()
    for (index, extent) in shape.enumerated() { writer.int(index + 1, extent) }
    if floats.isEmpty { writer.bytes(4, Data(bytes)) }
    writer.int(5, label)
    if !floats.isEmpty { writer.floats(6, floats) }
    return writer.data
  }

  /// A sample of Caffe's that is a picture's file.
  package static func datum(picture: Data, label: Int) -> Data {
    var writer = WireWriter()
    writer.bytes(4, picture)
    writer.int(5, label)
    writer.int(7, 1)
    return writer.data
  }
}
