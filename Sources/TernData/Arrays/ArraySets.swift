import Foundation
import TernCore

/// The parts of data in files of arrays: `npz:FILE`, `hdf5:FILE` or `hdf5:TRAIN,TEST`.
///
/// An array's name says its part and what it holds: `x_train`, `y_train`; `x_val`, `y_val` (or
/// `valid`, `validation`, `dev`); `x_test`, `y_test`; also `train_images`, `train_labels` and the
/// like, in any case. `images` and `labels`, `data` and `label`, `x` and `y` are for training. Labels are whole
/// numbers, [N]; numbers to be predicted are [N] or [N, T]. Arrays may also be called by the inputs of the
/// network: `left_train`, `right_train`. How arrays become samples is told at ``ArraySamples``.
struct ArraySets {
  /// Each with the part that all of its arrays are; `nil` where their names say it.
  let files: [(file: any ArrayFile, part: DataPart?)]
  /// What an error calls the data.
  let path: String
  let known: TrainedSamples?
  let measures: Bool
  let selection: TargetSelection
  let inputs: [Field]
  var channelOrder = PictureOptions.ChannelOrder.rgb
  /// Whether channels come first, and labels may be real numbers.
  var isCaffes = false

  private typealias Place = ArraySamples.Place

  private func fault(_ text: String) -> TernError { TernError(.badData, "\(path): \(text)") }

  func parts() throws -> DataParts {
    var leftOut = LeftOut()
    let places = try places(&leftOut)
    var samples: [(part: DataPart, ArraySamples)] = []
    for part in DataPart.wanted(places.keys, measures: measures) {
      guard let roles = places[part], let x = roles[.samples], let y = roles[.labels] else {
        continue
      }
      let others = inputs.indices.dropFirst().map { (inputs[$0], place: roles[.input($0)]!) }
      samples.append(
        (
          part,
          try ArraySamples(
            x, y, others, sampleName: inputs.first?.name, selection, channelOrder,
            isCaffes: isCaffes)
        ))
    }
    let shape = known?.shape ?? samples[0].1.shape
    if known == nil, let other = samples.first(where: { $0.1.shape != shape })?.1 {
      throw fault(
        "\(other.name): samples of \(other.shape) where \(samples[0].1.name) has \(shape)")
    }
    let classes =
      try known.map { ClassNames($0.classNames) }
      ?? (selection.kind == .classes
        ? ClassNames(wholeNumbers: samples.flatMap(\.1.labels), path: path)
        : ClassNames(samples[0].1.targetNames))
    guard
      selection.kind == .classes
        || samples.allSatisfy({ $0.1.targetNames.count == classes.names.count })
    else {
      throw fault(
        "the parts have \(samples.map { "\($0.1.targetNames.count)" }.joined(separator: ", ")) numbers to be "
          + "predicted")
    }
    var parts = DataParts()
    for (part, samples) in samples {
      parts[part] = .init(set: try samples.dataset(classes), origin: samples.origin)
    }
    if let text = leftOut.text { parts.notes.append(text) }
    return parts
  }

  /// Which array is what, with all that each part needs.
  private func places(_ leftOut: inout LeftOut) throws -> [DataPart: [ArrayRole: Place]] {
    let names = ArrayNames(
      inputs: inputs, samples: selection.samples, targets: selection.columns)
    var unused: [String] = []
    var found: [DataPart: [ArrayRole: (place: Place, isGiven: Bool)]] = [:]
    for (file, ownPart) in files {
      for name in file.arrayNames {
        guard let (part, role, isGiven) = names.use(of: name, in: ownPart) else {
          unused.append(name)
          continue
        }
        if let other = found[part]?[role] {
          // A name that is given counts where there are others that could mean the same.
          guard other.isGiven != isGiven else {
            throw fault(
              "\(other.place.name) and \(name) are both "
                + "\(role == .labels ? "targets" : "samples") of the \(part) set")
          }
          unused.append(isGiven ? other.place.name : name)
          if !isGiven { continue }
        }
        found[part, default: [:]][role] = ((file, name), isGiven)
      }
    }
    // Several files may have the same.
    for (index, name) in unused.enumerated() where !unused[..<index].contains(name) {
      leftOut.add("array", name)
    }
    let places = found.mapValues { $0.mapValues(\.place) }
    let expected =
      (isCaffes
        ? "expected arrays data and label, or x_train and y_train; it holds "
        : "expected arrays x_train and y_train, or images and labels; it holds ")
      + files.flatMap(\.file.contents).prefix(8).joined(separator: ", ")
    guard !places.isEmpty, known != nil || places[.training] != nil else { throw fault(expected) }
    for (part, roles) in places.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let needed: [(ArrayRole, String)] =
        [(.samples, inputs.count > 1 ? inputs[0].name : "samples"), (.labels, "labels")]
        + inputs.indices.dropFirst().map { (.input($0), inputs[$0].name) }
      if let missing = needed.first(where: { roles[$0.0] == nil }) {
        throw fault(
          "\(roles.values.map(\.name).sorted()[0]): the \(part) set has no \(missing.1)"
            + (part == .training && inputs.count <= 1 ? "; \(expected)" : ""))
      }
    }
    return places
  }
}
