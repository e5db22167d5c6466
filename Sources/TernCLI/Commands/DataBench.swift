import ArgumentParser
import Foundation
import Tern

extension DataCommand {
  struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Measure how fast training samples are read, decoded and changed.",
      discussion: """
        Prints samples per second of CPU time, which other programs do not disturb, and of the clock.

        Example:
          tern data bench --data images:photographs --augment imagenet
        """)

    @Option(help: "The data: \(DataSource.forms).")
    var data = "fashion-mnist"
    @Option(help: ArgumentHelp("Random changes, as 'tern train' takes them.", valueName: "list"))
    var augment = "none"
    @Option(help: "The side of samples made from pictures in files, in pixels.")
    var imageSize = 224
    @Option(help: "Samples per batch.")
    var batchSize = 64
    @Option(help: "Threads that prepare batches.")
    var workers = 1
    @Option(help: "Times to go through the training set.")
    var epochs = 3
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
      for (name, value, limit) in [
        ("image-size", imageSize, 4096), ("batch-size", batchSize, 1 << 20),
        ("workers", workers, 1024), ("epochs", epochs, 1 << 20),
      ] where !(1...limit).contains(value) {
        throw TernError(.usage, "\(name): expected 1 to \(limit), got \(value)")
      }
      let training = try DataSource.open(data, pictures: PictureOptions(size: imageSize)).training
      let augmentation = try Augmentation(augment).prepared(for: training)
      let normalization = try Normalization("none", statisticsOf: training)
      let clock = ContinuousClock()
      let (start, cpuStart) = (clock.now, Self.cpuSeconds)
      var count = 0
      for epoch in 0..<epochs {
        let loader = BatchLoader(
          training, batchSize: batchSize, normalization: normalization, shuffle: (0, epoch),
          augmentation: (augmentation, 0, epoch), workers: workers)
        defer { loader.cancel() }
        while let batch = try loader.next() { count += batch.count }
      }
      let cpuSeconds = Self.cpuSeconds - cpuStart
      let seconds = (clock.now - start) / .seconds(1)
      if json {
        Output.result(
          JSON.object([
            "samples": .int(count), "workers": .int(workers),
            "cpu_ms_per_sample": .double(cpuSeconds / Double(count) * 1000),
            "samples_per_cpu_second": .double(Double(count) / cpuSeconds),
            "samples_per_second": .double(Double(count) / seconds),
          ]))
        return
      }
      Output.result(
        "\(Format.count(count)) samples \(training.sampleShape): "
          + "\(Format.count(Double(count) / cpuSeconds)) per second and core "
          + "(\(Format.duration(cpuSeconds / Double(count))) of CPU time each), "
          + "\(Format.count(Double(count) / seconds)) per second with \(workers) workers")
    }

    /// What all threads of the process have used of the processors.
    private static var cpuSeconds: Double {
      var time = timespec()
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
  }
}
