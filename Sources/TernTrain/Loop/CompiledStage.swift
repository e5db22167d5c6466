import TernCore
import TernData
import TernGraph
import TernNN
import TernRuntime

/// The graphs of a part of a run, compiled.
struct CompiledStage {
  let objective: any Objective
  /// The first epoch after it; `nil` for the last stage.
  let endEpoch: Int?
  /// What each form of a batch runs: the passes of the objective.
  let steps: [BatchSchedule.Form: [Executable]]
  /// The names of what is summed over an epoch.
  let metricNames: [String]
  /// Whether the loss is summed with weights of its own, see ``TrainingGraph/weightSum``.
  let isWeighted: Bool
  let evaluator: Evaluator
  let sheet: SheetExecutable?
  /// The graphs of the first batch's passes.
  let firstGraphs: [TrainingGraph]
  /// The gradients of the passes, where their distributions are asked for.
  let gradients: [Executable]

  /// The passes of a full training step.
  var fullStep: [Executable] {
    func rank(_ step: (key: BatchSchedule.Form, value: [Executable])) -> (Int, Int) {
      (
        step.key.position.source == .total ? 0 : step.key.size,
        step.value.reduce(0) { $0 + $1.plan.peakByteCount }
      )
    }
    return steps.max { rank($0) < rank($1) }?.value ?? []
  }
}
