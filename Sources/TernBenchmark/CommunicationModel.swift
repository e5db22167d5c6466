import Foundation
import Tern

/// A model of how long a step takes where workers add up their gradients: not a measurement.
///
/// A sum over P workers takes 2⌈log₂P⌉ rounds, each of a latency, and moves (P - 1)/P of a bucket to others and back.
/// Buckets are complete one after the other while the backward pass goes on, which is taken for two thirds of the
/// step; one after the other is summed. Where the device is the processor itself, what sums take of it makes the
/// step longer.
package struct CommunicationModel: Sendable {
  /// Of a round, in seconds.
  package let latency: Double
  /// To move a byte to others and back, and to add it, in seconds.
  package let secondsPerByte: Double
  /// What of a sum's time a processor works.
  package let processorShare: Double

  /// The part of a step that is its backward pass.
  static let backwardShare = 2.0 / 3

  /// - Parameters:
  ///   - small: a sum whose time is that of its rounds.
  ///   - bucket: a sum of a bucket.
  ///   - workers: by how many both were measured.
  package init(
    small: CommunicationBenchmark.Result, bucket: CommunicationBenchmark.Result, workers: Int
  ) {
    latency = small.sumSeconds / (2 * Self.rounds(workers))
    secondsPerByte =
      max(0, bucket.sumSeconds - small.sumSeconds)
      / (Self.share(workers) * Double(bucket.byteCount))
    processorShare = min(1, bucket.processorSeconds / bucket.sumSeconds)
  }

  private static func rounds(_ workers: Int) -> Double { log2(Double(workers)).rounded(.up) }
  private static func share(_ workers: Int) -> Double { Double(workers - 1) / Double(workers) }

  /// To add up so much, in seconds.
  package func sumSeconds(_ byteCount: Int, workers: Int) -> Double {
    guard workers > 1 else { return 0 }
    return 2 * Self.rounds(workers) * latency
      + Self.share(workers) * Double(byteCount) * secondsPerByte
  }

  /// A step as it is expected.
  package struct Prediction: Sendable {
    package let workers: Int
    /// All sums, in seconds.
    package let communicationSeconds: Double
    package let stepSeconds: Double
    /// Of a step of one worker.
    package let computingSeconds: Double

    /// The part of the sums that goes on while the step computes.
    package var hiddenShare: Double {
      communicationSeconds > 0
        ? max(0, 1 - (stepSeconds - computingSeconds) / communicationSeconds) : 1
    }
    /// What of the speed of so many workers alone is left.
    package var efficiency: Double { computingSeconds / stepSeconds }

    package var json: JSON {
      .object([
        "workers": .int(workers), "communication_ms": .double(communicationSeconds * 1e3),
        "hidden": .double(hiddenShare), "step_ms": .double(stepSeconds * 1e3),
        "efficiency": .double(efficiency),
      ])
    }
  }

  /// Predicts a step.
  ///
  /// - Parameters:
  ///   - gradientByteCount: of all gradients.
  ///   - bucketByteCount: at most of a bucket.
  ///   - computingSeconds: of a step of one worker that is alone.
  ///   - sharesProcessor: whether the device is the processor that adds up.
  package func step(
    workers: Int, gradientByteCount: Int, bucketByteCount: Int, computingSeconds: Double,
    sharesProcessor: Bool
  ) -> Prediction {
    let bucketCount = max(1, (gradientByteCount + bucketByteCount - 1) / bucketByteCount)
    let perBucket = sumSeconds(gradientByteCount / bucketCount, workers: workers)
    let communication = perBucket * Double(bucketCount)
    let computing =
      computingSeconds + (sharesProcessor ? communication * processorShare : 0)
    var end = 0.0
    for bucket in 1...bucketCount {
      let ready =
        computing
        * (1 - Self.backwardShare + Self.backwardShare * Double(bucket) / Double(bucketCount))
      end = max(end, ready) + perBucket
    }
    return Prediction(
      workers: workers, communicationSeconds: communication, stepSeconds: max(end, computing),
      computingSeconds: computingSeconds)
  }

  /// What others have measured, to hold a prediction against.
  package static let published = [
    "Goyal et al., 2017: ResNet-50 in Caffe2, P100 and 50 Gbit/s Ethernet, about 90 % from 8 to 256 GPUs",
    "Sergeev and Del Balso, 2018 (Horovod): 512 P100, 25 Gbit/s RoCE, 90 % for Inception V3 and ResNet-101, 68 % for VGG-16",
  ]
}
