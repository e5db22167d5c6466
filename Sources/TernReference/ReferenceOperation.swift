import TernGraph

/// What a node does each time it runs.
typealias Kernel = () throws -> Void

/// An operation written down as loops.
///
/// An extension in `Operations/` makes each operation conform; nothing else has to know of it.
protocol ReferenceOperation: Operation {
  /// The computation of the outputs from the inputs, to be called once per step.
  ///
  /// Called once, when a plan is bound. Everything that can be worked out from shapes and
  /// attributes is worked out here; the closure only loops, and allocates nothing.
  func kernel(_ inputs: [View], _ outputs: [View]) throws -> Kernel
}
