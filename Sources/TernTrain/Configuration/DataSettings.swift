import TernCore
import TernData
import TernOptim
import TernRuntime

/// What becomes of the data, and when training stops.
public struct DataSettings: Sendable {
  init() {}

  /// How inputs are normalised; see ``Normalization``.
  public let normalize = SettingKey.text(
    "normalize", "auto",
    "Normalisation of the input, and of numbers to be predicted: auto and none are for both."
  ).with(value: "auto|none|MEAN,STD|imagenet|min-max|pca|pca-whiten")
  /// Random changes to training pictures; see ``Augmentation``.
  public let augment = SettingKey.text(
    "augment", "none",
    "Random changes to training pictures, such as flip,crop:4: "
      + "\(Augmentation.names.joined(separator: ", ")).",
    fault: {
      _ = try Augmentation($0)
      return nil
    }
  ).with(value: "list")
  /// The side of samples made from image folders; the model's own where `nil`.
  public let imageSize = SettingKey.integer(
    "image_size", 1...4096, "The side of samples made from pictures in files, in pixels.",
    standard: "the model's own")
  /// What of a picture in a file a sample shows.
  public let cropMode = SettingKey.choice(
    "crop_mode", PictureOptions.CropMode.center,
    "What of a picture in a file is seen: center is the middle of the largest rectangle of the samples' "
      + "aspect, squash that of all of it, its aspect lost.")
  /// The part that is seen of each side of a picture in a file.
  public let cropPart = SettingKey.number(
    "crop_pct", 0.875, "above 0 to 1",
    "The part that is seen of each side of a picture in a file."
  ) { $0 > 0 && $0 <= 1 }
  /// The folder that names in a list of pictures start from.
  public let imageRoot = SettingKey.text(
    "image_root", "The folder that the names in list:FILE start from.",
    standard: "where the program is started, or the list lies"
  ).with(value: "DIR", resuming: .place)
  /// The order of the colours of pictures in arrays.
  public let channelOrder = SettingKey.choice(
    "channel_order", PictureOptions.ChannelOrder.rgb,
    "The colours of pictures in npz:FILE and hdf5:FILE: bgr, as Caffe has them, are turned.")
  /// The part of the training set that is held out for validation, 0 to below 1.
  public let validationSplit = SettingKey.number(
    "validation_split", 0.0, "0 to below 1",
    "The part of the training set that is held out for validation.", standard: "0"
  ) { $0 >= 0 && $0 < 1 }
  /// The part of data without a test set that is held out for testing; see ``TargetSelection/testSplit``.
  public let testSplit = SettingKey.number(
    "test_split", "0 to below 1",
    "The part that is held out for testing of data without a test set; 0 measures the training "
      + "samples.",
    standard:
      "0.2; 0 of fewer than \(TargetSelection.fewSamples) samples with numbers to be predicted"
  ) { $0 >= 0 && $0 < 1 }
  /// Parts that cross-validation cuts the training set into; 1 for none.
  public let folds = SettingKey.integer(
    "folds", 1, 1...Int.max,
    "Cross-validation: train as many times, each time holding out another part.")
  /// The part that is held out for validation, counted from 1.
  public let fold = SettingKey.integer(
    "fold", Int.min...Int.max, "The part that is held out for validation, counted from 1."
  ).with(Setting.Form.none)
  /// Epochs without improvement after which the run stops, where given.
  public let patience = SettingKey.integer(
    "patience", 1...Int.max,
    "Epochs without improvement after which training stops.")
  /// The metric that decides which checkpoint is best; see ``monitors``.
  public let monitor = SettingKey.text(
    "monitor", choices: MonitoredMetric.names,
    "What improvement means: \(MonitoredMetric.names.joined(separator: ", ")).",
    standard:
      "test_accuracy, with a validation split val_accuracy; loss where nothing is classified")
  /// What everything random depends on.
  public let seed = SettingKey<UInt64>(
    "seed", .integer, 0, "The seed of everything random.",
    read: { try $0.unsigned("seed", default: 0) }, value: { .int(Int(clamping: $0)) })
  /// Whether each epoch goes through the samples in another order.
  public let shuffle = SettingKey.truth(
    "shuffle", true, .negatedFlag, "Keep the order of the training set.")
}
