import TernCore
import TernData
import TernOptim
import TernRuntime

/// What is trained, on what, and for how long.
public struct NetworkSettings: Sendable {
  init() {}

  private static let taskNames = [
    "classification", "multilabel", "regression", "segmentation",
    "reconstruction", "language-model",
  ]

  /// The name of a network, or the path of a model file.
  public let model = SettingKey.text("model", "lenet5", "A model's name, or a model file.")
    .with(Setting.Form.none, resuming: .place)
  /// The name of the data, with its place where it needs one.
  public let data = SettingKey.text(
    "data", "fashion-mnist", "The data: \(DataSource.forms).", standard: "none"
  ).with(
    resuming: .place)
  /// What the network is trained for, where that is not the model's own task.
  public let task = SettingKey.text(
    "task", choices: Self.taskNames,
    "What the network is trained for, where that is another "
      + "task than its own: \(Self.taskNames.joined(separator: ", ")).", standard: "the model's own"
  )
  /// The classes that the network tells, which the data has to have; those of the data where `nil`.
  public let classes = SettingKey.integer(
    "classes", 1...1 << 16, "The classes that the network tells: as many as the data has.",
    standard: "those of the data")
  /// What is minimised, see ``LossFunction/init(parsing:)``; the task's own where `nil`.
  public let loss = SettingKey.text(
    "loss", "What is minimised: \(LossFunction.names.joined(separator: ", ")).",
    standard: "the task's: cross_entropy, mse_loss, binary_cross_entropy_with_logits",
    fault: {
      _ = try $0.map(LossFunction.init(parsing:))
      return nil
    }
  ).with(value: "NAME[:key=value,...]")
  /// The array that holds the samples.
  public let samples = SettingKey.text(
    "samples", "The array of npz:FILE or hdf5:FILE that holds the samples.",
    standard: "the network's input, or x, images or data"
  ).with(value: "NAME")
  /// The columns of a table that are to be predicted, separated by commas.
  public let target = SettingKey.text(
    "target", "The columns of a table that are to be predicted, or the array of a file of arrays.",
    standard: "the one called label, else the last"
  ).with(value: "COLUMN[,COLUMN...]")
  /// What text is cut into.
  public let tokens = SettingKey.choice("tokens", TokenUnit.word, "What text is cut into.")
  /// How many tokens a vocabulary has at most.
  public let vocabulary = SettingKey.integer(
    "vocabulary", 10_000, 4...1 << 24,
    "How many different tokens of text are known at most; the others are one, unknown.")
  /// The tokens of a sample; the model's own where `nil`.
  public let sequenceLength = SettingKey.integer(
    "sequence_length", 2...1 << 16, "The tokens of a sample of text.",
    standard: "the model's own")
  /// The column of a table that holds text.
  public let textColumn = SettingKey.text(
    "text_column", "The column of a table that holds the text.",
    standard: "the one called text, or the only one beside the class"
  ).with(value: "COLUMN")
  /// How often the training set is gone through.
  public let epochs = SettingKey.integer(
    "epochs", 10, 1...Int.max, "How often to go through the training set.",
    standard: "10, or as many as the steps take"
  ).with(resuming: .growing)
  /// Ends the run after so many steps, where given; alone, it decides, whatever ``epochs`` usually
  /// is.
  public let steps = SettingKey.integer(
    "steps", 1...Int.max, "How many steps to train, at most.",
    standard: "as many as the epochs have")
  /// Samples per step.
  public let batchSize = SettingKey.integer("batch_size", 64, 1...1 << 20, "Samples per step.")
}
