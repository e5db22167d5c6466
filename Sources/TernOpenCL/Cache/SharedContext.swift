import COpenCL
import Synchronization
import TernRuntime

/// A context of a driver's device with the kernels that were built in it.
///
/// A process keeps those of devices that it opened by their names: what opens a device again and again, as a sweep does
/// for each of its trials, builds nothing twice.
struct SharedContext: Sendable {
  let context: Context
  let programs: ProgramCache

  /// One that nobody else has.
  init(
    _ device: CLDevice, prefix: String, directory: CacheDirectory?, storesBinaries: Bool
  ) throws {
    context = try Context(device: device.handle)
    programs = ProgramCache(
      context: context, device: device, prefix: prefix, directory: directory,
      storesBinaries: storesBinaries)
  }

  private struct Key: Hashable {
    let device: Int
    let prefix: String
    let directory: String?
    let storesBinaries: Bool
  }

  private static let known = Mutex<[Key: SharedContext]>([:])

  /// The one that the process keeps, made now if it has none.
  static func kept(
    _ device: CLDevice, prefix: String, directory: CacheDirectory?, storesBinaries: Bool
  ) throws -> SharedContext {
    let key = Key(
      device: Int(bitPattern: device.handle), prefix: prefix, directory: directory?.path,
      storesBinaries: storesBinaries)
    if let shared = known.withLock({ $0[key] }) { return shared }
    // Not while others wait, and a call that fails forgets what is known. Two may make one; the first stays.
    let new = try SharedContext(
      device, prefix: prefix, directory: directory, storesBinaries: storesBinaries)
    return known.withLock { known in
      if let shared = known[key] { return shared }
      known[key] = new
      return new
    }
  }

  /// Lets the next device that is opened have a context of its own: a call failed, and a driver may be of no use any
  /// more in the context where it did.
  static func forgetAll() {
    // What is released may call the driver: not while others wait.
    let released = known.withLock { known in
      defer { known = [:] }
      return known
    }
    withExtendedLifetime(released) {}
  }
}
