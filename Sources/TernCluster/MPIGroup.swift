import CMPI
import Foundation
import TernCore

/// The processes that a launcher of MPI started: `mpirun -np 4 tern train …`.
public final class MPIGroup: ProcessGroup, @unchecked Sendable {
  public let rank: Int
  public let size: Int
  public let host: String?
  /// The messages under way; calls come one at a time.
  private var requests: [UnsafeMutableRawPointer?] = []

  /// Whether a launcher started this process together with others.
  public static var isLaunched: Bool { launchedCount > 1 }

  /// What launchers say of how many processes they started: Open MPI's mpirun, PMIx and PMI (Slurm's srun).
  private static var launchedCount: Int {
    let environment = ProcessInfo.processInfo.environment
    for name in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"] {
      if let count = environment[name].flatMap({ Int($0) }) { return count }
    }
    return environment["PMIX_RANK"] == nil
      ? 1 : environment["SLURM_NTASKS"].flatMap { Int($0) } ?? 2
  }

  /// Joins the processes of the launcher.
  ///
  /// - Throws: ``TernError`` of kind `runtime` where there is no Open MPI, or the others cannot be reached.
  public init() throws {
    if let reason = tern_mpi_load() {
      throw TernError(.runtime, "mpi: \(String(cString: reason)); install openmpi-bin")
    }
    try Self.check(tern_mpi_init(), "cannot join the other processes")
    var (rank, size): (Int32, Int32) = (0, 0)
    try Self.check(tern_mpi_rank(&rank), "no rank")
    try Self.check(tern_mpi_size(&size), "no size")
    (self.rank, self.size) = (Int(rank), Int(size))
    host = HostName.own
  }

  public func send(_ bytes: UnsafeRawBufferPointer, to rank: Int) throws {
    try Self.inParts(bytes.count) { start, count in
      try Self.check(
        tern_mpi_send(bytes.baseAddress! + start, count, Int32(rank)),
        "nothing can be sent to rank \(rank)")
    }
  }

  public func receive(_ bytes: UnsafeMutableRawBufferPointer, from rank: Int) throws {
    try Self.inParts(bytes.count) { start, count in
      try Self.check(
        tern_mpi_receive(bytes.baseAddress! + start, count, Int32(rank)),
        "nothing comes from rank \(rank)")
    }
  }

  public func exchange(_ messages: [GroupMessage]) throws {
    requests.removeAll(keepingCapacity: true)
    func start(_ body: (inout UnsafeMutableRawPointer?) -> Int32, _ what: @autoclosure () -> String)
      throws
    {
      var request: UnsafeMutableRawPointer?
      try Self.check(body(&request), what())
      requests.append(request)
    }
    // What is expected first, so that it need not be stored in between.
    for case .receive(let bytes, let rank) in messages {
      try Self.inParts(bytes.count) { offset, count in
        try start(
          { tern_mpi_start_receive(bytes.baseAddress! + offset, count, Int32(rank), &$0) },
          "nothing comes from rank \(rank)")
      }
    }
    for case .send(let bytes, let rank) in messages {
      try Self.inParts(bytes.count) { offset, count in
        try start(
          { tern_mpi_start_send(bytes.baseAddress! + offset, count, Int32(rank), &$0) },
          "nothing can be sent to rank \(rank)")
      }
    }
    let count = Int32(requests.count)
    try Self.check(
      requests.withUnsafeMutableBufferPointer { tern_mpi_wait_all(count, $0.baseAddress) },
      "messages to and from other ranks are lost")
  }

  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
    try Self.inParts(bytes.count) { start, count in
      try Self.check(
        tern_mpi_broadcast(bytes.baseAddress! + start, count, Int32(root)),
        "nothing comes from rank \(root)")
    }
  }

  /// Leaves the group; all members have to.
  public func finish() throws {
    try Self.check(tern_mpi_finalize(), "cannot leave the other processes")
  }

  /// Ends the processes of all members.
  public func abort(exitCode: Int32) -> Never {
    tern_mpi_abort(exitCode)
    exit(exitCode)
  }

  /// MPI counts in 32 bits.
  private static func inParts(_ count: Int, _ body: (_ start: Int, _ count: Int32) throws -> Void)
    rethrows
  {
    let largest = 1 << 30
    for start in stride(from: 0, to: count, by: largest) {
      try body(start, Int32(min(largest, count - start)))
    }
  }

  private static func check(_ code: Int32, _ what: String) throws {
    guard code != 0 else { return }
    var text = [CChar](repeating: 0, count: 256)
    tern_mpi_describe(code, &text, text.count)
    let reason = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    throw TernError(.runtime, "mpi: \(what): \(reason)")
  }
}
