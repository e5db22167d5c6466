import Tern
import TernReference

/// Holds what a device makes of random networks against plainer ways to compute the same.
///
/// - The reference in double precision: outputs and gradients. How far off rounding may be is measured on
///   the network itself: by how much its outputs move with inputs that are a little off, and where the
///   reference rounds every value to single precision. Twice: as the device merges operations, and taken
///   apart.
/// - Central differences of the loss, in double precision.
/// - Memory of its own for every value, and values computed again for want of memory: the same bits, with
///   and without an update of the parameters.
package struct RandomNetworkCheck {
  package let device: any Device
  private let exact = ReferenceDevice(rounding: .none)

  package init(device: any Device) { self.device = device }

  /// A network that is not computed as it should be, with as few steps as show it.
  package struct Fault: Sendable, CustomStringConvertible {
    package let network: RandomNetwork
    package let message: String
    package var description: String { "\(message)\n\(network)" }
  }

  /// - Returns: the fault of a seed's network, shrunk; `nil` where there is none.
  package func fault(seed: UInt64) -> Fault? {
    var network = RandomNetwork(seed: seed)
    guard var message = message(network) else { return nil }
    // Steps are taken out, the last ones first, as long as it stays wrong.
    var isSmaller = true
    while isSmaller {
      isSmaller = false
      for index in network.steps.indices.reversed() {
        var smaller = network
        smaller.steps.remove(at: index)
        guard let found = self.message(smaller) else { continue }
        (network, message, isSmaller) = (smaller, found, true)
      }
    }
    return Fault(network: network, message: message)
  }

  private func message(_ network: RandomNetwork) -> String? {
    do {
      let built = try network.built()
      return try differenceFromReference(built) ?? differenceFromSlopes(built)
        ?? differenceByMemory(built) ?? differenceByMemory(network.built(updates: true))
    } catch {
      return "\(device.info.id): \(error)"
    }
  }

  // MARK: Numbers

  /// By how much inputs are moved to see what rounding may do.
  private static let disturbance = 1e-6

  private func differenceFromReference(_ built: RandomNetwork.Built) throws -> String? {
    let exact = try Session(device: exact).compile(built.graph)
    let values = built.values.mapValues(\.doubles)
    let expected = try exact.runInFullPrecision(values)
    let disturbed = try exact.runInFullPrecision(
      values.mapValues {
        $0.enumerated().map { $1 * (1 + ($0 % 2 == 0 ? 1 : -1) * Self.disturbance) }
      }
      .merging([RandomNetwork.stepInput: values[RandomNetwork.stepInput]!]) { $1 })
    // What cancels out whatever the inputs are, rounding does not leave at zero.
    let rounded = try Session(device: ReferenceDevice()).compile(built.graph).run(built.values)
      .mapValues(\.doubles)
    for fuses in [true, false] {
      let session = Session(device: device)
      session.fuses = fuses
      let got = try session.compile(built.graph).run(built.values)
      for (name, tensor) in got.sorted(by: { $0.key < $1.key }) {
        let scale = expected[name]!.reduce(0) { max($0, abs($1)) }
        for (index, value) in tensor.doubles.enumerated() {
          let wanted = expected[name]![index]
          let tolerance =
            1e-5 + 2e-4 * scale + 30 * abs(disturbed[name]![index] - wanted)
            + 10 * abs(rounded[name]![index] - wanted)
          if !(abs(value - wanted) <= tolerance) {
            return
              "\(device.info.id)\(fuses ? "" : ", taken apart"): \(name)[\(index)] is \(value), "
              + "expected \(wanted) ± \(tolerance)"
          }
        }
      }
    }
    return nil
  }

  private func differenceFromSlopes(_ built: RandomNetwork.Built) throws -> String? {
    let exact = try Session(device: exact).compile(built.graph)
    let values = built.values.mapValues(\.doubles)
    let analytic = try exact.runInFullPrecision(values)
    func loss(_ name: String, _ index: Int, _ distance: Double) throws -> Double {
      var moved = values
      moved[name]![index] += distance
      return try exact.runInFullPrecision(moved)["loss"]![0]
    }
    let step = 1e-5
    for name in built.parameters {
      guard let gradient = analytic["gradient.\(name)"] else { continue }
      for index in Set([0, gradient.count / 2, gradient.count - 1]).sorted() {
        let (above, below) = (try loss(name, index, step), try loss(name, index, -step))
        let middle = analytic["loss"]![0]
        let slopes = ((above - middle) / step, (middle - below) / step)
        let slope = (slopes.0 + slopes.1) / 2
        // Where the two sides disagree there is a corner, which has no slope.
        let scale = max(abs(slope), abs(gradient[index]), 1e-3)
        guard abs(slopes.0 - slopes.1) < 1e-3 * scale else { continue }
        if !(abs(gradient[index] - slope) <= 2e-3 * scale) {
          return "gradient of \(name)[\(index)] is \(gradient[index]), differences give \(slope)"
        }
      }
    }
    return nil
  }

  // MARK: Memory

  private func differenceByMemory(_ built: RandomNetwork.Built) throws -> String? {
    let planned = try results(built, Session(device: device))
    let separate = try results(built, Session(device: device, sharesMemory: false))
    if let name = Self.difference(planned, separate) {
      return "\(device.info.id): \(name) is another where values share memory"
    }
    let plan = try Session(device: device).plan(built.graph)
    let fixed = plan.peakByteCount - plan.arenaByteCount
    for part in [3, 6] {
      let session = Session(device: device, memoryLimit: fixed + plan.arenaByteCount * part / 8)
      let scarce: [String: HostTensor]
      do { scarce = try results(built, session) } catch let error as TernError
        where error.kind == .outOfMemory
      { continue }
      if let name = Self.difference(planned, scarce) {
        return "\(device.info.id): \(name) is another where values are computed again"
      }
    }
    return nil
  }

  /// Outputs and variables after two steps.
  private func results(
    _ built: RandomNetwork.Built, _ session: Session
  ) throws -> [String: HostTensor] {
    let executable = try session.compile(built.graph)
    try session.write(built.values.filter { session.variableType($0.key) != nil })
    let inputs = built.values.filter { executable.inputIndex($0.key) != nil }
    _ = try executable.run(inputs)
    var results = try executable.run(inputs)
    for name in session.variableNames { results["variable \(name)"] = try session.read(name) }
    return results
  }

  private static func difference(
    _ a: [String: HostTensor], _ b: [String: HostTensor]
  ) -> String? {
    a.keys.sorted().first { name in
      guard let (x, y) = a[name].flatMap({ x in b[name].map { (x, $0) } }), x.type == y.type else {
        return true
      }
      return x.withUnsafeBytes { xs in y.withUnsafeBytes { ys in !xs.elementsEqual(ys) } }
    }
  }
}
