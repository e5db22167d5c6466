import COpenCL
import TernGraph

extension Operations.GroupSum: OpenCLOperation {
  func encode(_ x: [View], _ y: [View], in encoder: StepEncoder) throws {
    encoder.append(GroupSumLaunch(exchange, from: x[0], to: y[0]))
  }
}

/// Brings values to the host, which adds them up with those of other members, and takes them back. The device
/// waits meanwhile: what comes next reads them.
private final class GroupSumLaunch: Launch {
  private let exchange: any SumExchange
  private let (source, destination): (View, View)
  private let values: UnsafeMutableBufferPointer<Float>

  init(_ exchange: any SumExchange, from source: View, to destination: View) {
    (self.exchange, self.source, self.destination) = (exchange, source, destination)
    values = .allocate(capacity: source.count)
  }

  deinit { values.deallocate() }

  func enqueue(_ queue: cl_command_queue) throws {
    try check(
      clEnqueueReadBuffer(
        queue, source.memory, cl_bool(CL_TRUE), 4 * source.offset, 4 * source.count,
        values.baseAddress, 0, nil, nil), "clEnqueueReadBuffer")
    try exchange.sum(values)
    try check(
      clEnqueueWriteBuffer(
        queue, destination.memory, cl_bool(CL_TRUE), 4 * destination.offset, 4 * source.count,
        values.baseAddress, 0, nil, nil), "clEnqueueWriteBuffer")
  }
}
