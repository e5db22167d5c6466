import Foundation
import Tern
import TernTestSupport
import Testing

/// Processes that a launcher of MPI started: the same weights whoever computes them.
@Suite struct ClusterTests {
  static let launcher =
    "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; "
    + "mpirun --oversubscribe --bind-to none"

  private static func run(_ count: Int, _ arguments: String, in workspace: Workspace) throws
    -> Command.Result
  {
    try Command.shell("\(launcher) -np \(count) \"$0\" \(arguments)", in: workspace.path)
  }

  private static func weights(_ run: String, _ workspace: Workspace) throws -> Data {
    try #require(workspace.bytes("\(run)/checkpoints/last/weights.safetensors"))
  }

  @Test(arguments: [
    ("lenet5", "cpu"), ("resnet20", "cpu"), ("lenet5", "opencl"),
    ("lenet5", "reference --precision bf16"), ("lenet5", "cpu --precision fp16 --force-precision"),
  ]) func ranksDoNotChangeTheWeights(model: String, device: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 120, test: 40)
    let train =
      "train \(model) --data idx:data --steps 5 --batch-size 32 --shards 4 --device \(device) -q --out"
    for count in [1, 2, 4] {
      let result =
        count == 1
        ? try Command.run(
          (train + " one").split(separator: " ").map(String.init), in: workspace.path)
        : try Self.run(
          count, "\(train) of\(count)" + (count == 4 ? " --bucket 20KiB" : ""), in: workspace)
      #expect(result.status == 0, "\(count): \(result.errors)")
      // One process alone prints.
      #expect(result.output.split(separator: "\n").count { $0.contains("test accuracy") } == 1)
      #expect(result.output.contains("% hidden") == (count > 1))
    }
    let one = try Self.weights("one", workspace)
    for count in [2, 4] {
      #expect(try Self.weights("of\(count)", workspace) == one, "\(count) ranks")
    }
  }

  /// Several devices of one process: the same weights as by one, and a run goes on with another number of them.
  @Test(arguments: [
    ("cpu,cpu --threads 2", "cpu --threads 1"), ("opencl:0.0,opencl:0.1", "opencl"),
    ("opencl:all", "opencl"),
  ]) func devicesDoNotChangeTheWeights(several: String, one: String) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 20)
    func run(_ arguments: String) throws {
      let result = try Command.shell(
        "POCL_DEVICES='pthread pthread' \"$0\" train \(arguments) -q", in: workspace.path)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("% hidden") == arguments.contains("of2"))
    }
    let train = "lenet5 --data idx:data --batch-size 20 --shards 2"
    try run("\(train) --epochs 2 --device \(several) --out of2")
    try run("\(train) --epochs 1 --device \(one) --out one")
    try run("--resume one --epochs 2")
    #expect(try Self.weights("of2", workspace) == Self.weights("one", workspace))
    let configuration = String(
      decoding: try #require(workspace.bytes("of2/config.yaml")), as: UTF8.self)
    #expect(configuration.contains(several.hasPrefix("cpu") ? "cpu,cpu" : "opencl:0.0,opencl:0.1"))
  }

  @Test func devicesOfTwoKindsAreRefused() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 20)
    let train = "train lenet5 --data idx:data --batch-size 20 --steps 1 -q --device"
    let mixed = try Command.run(
      "\(train) cpu,opencl".split(separator: " ").map(String.init), in: workspace.path)
    #expect(mixed.status == 64 && mixed.errors.contains("are of two kinds"), "\(mixed.errors)")
    let launched = try Self.run(2, "\(train) cpu,cpu", in: workspace)
    #expect(
      launched.status == 64 && launched.errors.contains("drives one device"), "\(launched.errors)")
  }

  /// What messages take is measured, what steps of many take is predicted.
  @Test func communicationIsMeasured() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    let bench = "bench comm lenet5 --batch-size 4 --bucket 64KiB --seconds 0.02 --device cpu --json"
    let result = try Self.run(2, bench, in: workspace)
    #expect(result.status == 0, "\(result.errors)")
    let json = try JSON(parsing: result.output)
    #expect(json["ranks"] == .int(2))
    guard case .array(let messages)? = json["messages"],
      case .array(let predictions)? = json["predictions"]
    else {
      Issue.record("\(result.output)")
      return
    }
    #expect(messages.count == 7)
    #expect(
      predictions.map { $0["workers"] } == [2, 8, 64, 512].map { JSON.int($0) })
    for prediction in predictions {
      let efficiency = try #require(prediction["efficiency"]?.doubleValue)
      #expect(efficiency > 0 && efficiency <= 1)
    }
    let alone = try Command.run(["bench", "comm"], in: workspace.path)
    #expect(alone.status == 64 && alone.errors.contains("mpirun -np 2"), "\(alone.errors)")
  }

  /// Archives are dealt out to the shards: each process opens some of them, and the weights are the same.
  @Test func archivesAreDealtOut() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    for part in 0..<8 {
      var archive = TarFixture()
      for number in part * 20..<part * 20 + 20 - part % 3 {
        let values = (0..<784).map { Float(($0 * (number + 3)) % 17) / 17 }
        archive.add("\(number).npy", TarFixture.array(values, shape: "(28, 28)"))
        archive.add("\(number).cls", Array("\(number % 10)".utf8))
      }
      try Data(archive.file).write(to: URL(fileURLWithPath: workspace.file("part-\(part).tar")))
    }
    let train = "train lenet5 --data tar:part-*.tar --epochs 2 --device cpu --threads 1 -q --out"
    for (count, arguments) in [
      (1, "one --batch-size 8 --accumulate 4"), (1, "shards --batch-size 32 --shards 4"),
      (2, "two --batch-size 32 --shards 4"), (3, "three --batch-size 32 --shards 4"),
      (4, "four --batch-size 32"),
    ] {
      let result = try Self.run(count, "\(train) \(arguments)", in: workspace)
      #expect(result.status == 0, "\(arguments): \(result.errors)")
    }
    let one = try Self.weights("one", workspace)
    for name in ["shards", "two", "three", "four"] {
      #expect(try Self.weights(name, workspace) == one, "\(name)")
    }
  }

  /// Statistics of the whole batch: the losses of one process, whatever the number of ranks.
  @Test func synchronizedBatchNormHasTheLossesOfOneProcess() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 120, test: 40)
    try workspace.write(
      "net.yaml",
      """
      input: [1, 28, 28]
      classes: 10
      layers:
        - conv2d: {out_channels: 4, kernel_size: 5, stride: 3}
        - batch_norm
        - relu
        - conv2d: {out_channels: 6, kernel_size: 3}
        - batch_norm
        - relu
        - flatten
        - linear: {out_features: 10}
      """)
    let train =
      "train net.yaml --data idx:data --steps 20 --batch-size 32 --device cpu --threads 1 --log-every 1 --json --out"
    func losses(_ result: Command.Result) throws -> [Double] {
      #expect(result.status == 0, "\(result.errors)")
      return try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
        .filter { $0["event"] == .string("step") }.compactMap { $0["loss"]?.doubleValue }
    }
    let one = try losses(
      Command.run((train + " one").split(separator: " ").map(String.init), in: workspace.path))
    for count in [2, 4] {
      let shared = try losses(
        Self.run(count, "\(train) of\(count) --batch-norm sync", in: workspace))
      #expect(one.count == 20 && shared.count == 20)
      let difference = zip(one, shared).map { abs($0 - $1) }.max()!
      #expect(difference < 1e-5, "\(count) ranks: \(difference)")
    }
    // Gradients that are looked at wait for the others, too.
    let looked = try Self.run(
      2, "\(train) looked --batch-norm sync --histograms", in: workspace)
    #expect(looked.status == 0, "\(looked.errors)")
    let refused = try Self.run(
      2, "\(train) refused --batch-norm sync --shards 4", in: workspace)
    #expect(
      refused.status == 64 && refused.errors.contains("every process computes one shard"),
      "\(refused.errors)")
  }

  /// What the log tells of several processes: how many there are, and what each epoch's sums took.
  @Test func eventsTellOfTheRanks() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 120, test: 40)
    let train =
      "train lenet5 --data idx:data --batch-size 32 --shards 4 --device cpu --epochs 2 --json"
    let several = try Self.run(2, "\(train) --out several", in: workspace)
    let one = try Command.run(
      "\(train) --out one".split(separator: " ").map(String.init), in: workspace.path)
    for (result, ranks) in [(several, 2), (one, 1)] {
      #expect(result.status == 0, "\(result.errors)")
      let events = try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
      let start = try #require(events.first { $0["event"] == .string("start") })
      #expect(start["ranks"] == .int(ranks) && start["shards"] == .int(4))
      let epochs = events.filter { $0["event"] == .string("epoch") }
      #expect(epochs.count == 2)
      for epoch in epochs {
        let seconds = epoch["communication_seconds"]?.doubleValue
        let hidden = epoch["hidden_seconds"]?.doubleValue
        #expect((seconds != nil) == (ranks > 1) && (hidden != nil) == (ranks > 1))
        if let seconds, let hidden { #expect(0 <= hidden && hidden <= seconds && seconds > 0) }
      }
    }
  }

  @Test func anotherNumberOfRanksGoesOn() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 120, test: 40)
    let train = "train lenet5 --data idx:data --batch-size 32 --shards 4 --device cpu -q"
    let whole = try Self.run(1, "\(train) --epochs 3 --out whole", in: workspace)
    #expect(whole.status == 0, "\(whole.errors)")
    for (count, arguments) in [
      (4, "\(train) --epochs 1 --out parts"), (2, "train --resume parts --epochs 2 -q"),
      (3, "train --resume parts --epochs 3 -q"),
    ] {
      let result = try Self.run(count, arguments, in: workspace)
      #expect(result.status == 0, "\(count): \(result.errors)")
    }
    #expect(try Self.weights("parts", workspace) == Self.weights("whole", workspace))
  }

  @Test func faultsOfOneRankEndAll() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 20)
    let train = "train lenet5 --data idx:data --epochs 1000 --batch-size 30 --device cpu -q --out"
    // Other settings on one of them.
    let differing = try Command.shell(
      "\(Self.launcher) -np 2 bash -c '\"$0\" \(train) one --lr 0.0$((1 + OMPI_COMM_WORLD_RANK))' \"$0\"",
      in: workspace.path)
    #expect(differing.status == 64, "\(differing.errors)")
    #expect(
      differing.errors.firstMatch(of: /rank 0 on [^ ]+: rank 1 on [^ ]+ has another settings/)
        != nil,
      "\(differing.errors)")
    #expect(workspace.bytes("one/config.yaml") == nil)
    #expect(differing.errors.contains("settings: lr 0.02, where rank 0 has lr 0.01"))
    // Other samples to test on.
    try workspace.writeDataset("elsewhere", train: 60, test: 19)
    let samples = try Command.shell(
      "\(Self.launcher) -np 2 bash -c 'D=data; test $OMPI_COMM_WORLD_RANK = 1 && D=elsewhere; "
        + "exec \"$0\" train lenet5 --data idx:$D --batch-size 30 --device cpu -q --out one' \"$0\"",
      in: workspace.path)
    #expect(samples.status == 64 && samples.errors.contains("data"), "\(samples.errors)")
    // Another build: the same with some bytes behind it.
    let build = try Command.shell(
      "cp \"$0\" other; echo >> other; \(Self.launcher) -np 2 bash -c "
        + "'if [ $OMPI_COMM_WORLD_RANK = 1 ]; then set -- ./other; fi; exec \"$1\" \(train) one' _ \"$0\"",
      in: workspace.path)
    #expect(build.status == 64 && build.errors.contains("has another build"), "\(build.errors)")
    // One that is killed.
    let killed = try Command.shell(
      "\(Self.launcher) -np 2 bash -c 'if [ $OMPI_COMM_WORLD_RANK = 1 ]; then (sleep 3; kill -9 $$) & fi; "
        + "exec \"$0\" \(train) two' \"$0\"", in: workspace.path)
    #expect(killed.status != 0)
    #expect(killed.errors.contains("rank 1"), "\(killed.errors)")
    let resumed = try Self.run(2, "train --resume two --steps 1 -q", in: workspace)
    #expect([0, 64].contains(resumed.status), "\(resumed.errors)")
  }

  /// All find out together; the first one alone says so, with the cause, and writes what it has to.
  @Test(arguments: [2, 1]) func divergenceIsSaidOnce(ranks: Int) throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 20)
    let train =
      "train resnet20 --data idx:data --batch-size 30 --log-every 1 --lr 1e30 --epochs 3 -q --out run"
    let result =
      ranks > 1
      ? try Self.run(ranks, "\(train) --device cpu", in: workspace)
      : try Command.run(
        "\(train) --device cpu,cpu --threads 2".split(separator: " ").map(String.init),
        in: workspace.path)
    #expect(result.status == 3, "\(result.errors)")
    let lines = result.errors.split(separator: "\n").filter { $0.contains("diverged") }
    #expect(lines.count == 1, "\(result.errors)")
    #expect(
      lines.allSatisfy {
        $0.contains("not finite") && !$0.contains("rank 1") && !$0.contains("device 2")
      },
      "\(result.errors)")
    #expect(workspace.bytes("run/report.html") != nil)
  }

  @Test func whatShardsCannotDoIsSaid() throws {
    let workspace = try Workspace()
    defer { workspace.remove() }
    try workspace.writeDataset(train: 60, test: 20)
    func errors(_ arguments: String) throws -> (Int32, String) {
      let result = try Command.run(
        arguments.split(separator: " ").map(String.init), in: workspace.path)
      return (result.status, result.errors)
    }
    let odd = try errors("train lenet5 --data idx:data --batch-size 32 --shards 3 --device cpu -q")
    #expect(odd.0 == 64 && odd.1.contains("--batch-size 33"), "\(odd)")
    let parts = try errors("train dcgan --data idx:data --batch-size 32 --shards 2 --device cpu -q")
    #expect(parts.0 == 64 && parts.1.contains("trains its parts in turn"), "\(parts)")
    let patterns = "a,b,c,d,y\n" + String(repeating: "1,-1,1,-1,0\n-1,-1,1,1,1\n", count: 4)
    try workspace.write("patterns.csv", patterns)
    let memory = try errors(
      "train hopfield --data csv:patterns.csv --batch-size 4 --shards 2 --device cpu -q")
    #expect(memory.0 == 64 && memory.1.contains("learns without gradients"), "\(memory)")
  }
}
