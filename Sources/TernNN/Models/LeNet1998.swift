import TernCore
import TernGraph

/// LeNet-5 as it was published.
///
/// Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
/// recognition", 1998.
extension ZooEntry {
  /// Parameters: C1 156, S2 12, C3 1,516, S4 32, C5 48,120, F6 10,164; the codes of the output units
  /// are fixed. Images smaller than 32×32 get a border.
  static let lenet1998 = ZooEntry(
    "lenet5-1998", source: "LeCun et al., 1998, as published", inputShape: [1, 32, 32],
    classCount: 10
  ) { input, classes in
    if input.rank == 3, input[1] < 32, input[2] < 32 {
      let (height, width) = (32 - input[1], 32 - input[2])
      Functional.pad([width / 2, width - width / 2, height / 2, height - height / 2]).named(
        "border")
    }
    Conv2D(6, kernel: 5).named("C1")
    ScaledTanh().named("C1_tanh")
    Subsampling().named("S2")
    ScaledTanh().named("S2_tanh")
    TableConvolution(LeNet1998.table, kernel: 5).named("C3")
    ScaledTanh().named("C3_tanh")
    Subsampling().named("S4")
    ScaledTanh().named("S4_tanh")
    Conv2D(120, kernel: 5).named("C5")
    ScaledTanh().named("C5_tanh")
    Functional.flatten.named("flatten")
    Linear(84).named("F6")
    ScaledTanh().named("F6_tanh")
    // With a variance of 1, 84 units put the classes so far apart that usual learning rates overshoot.
    RadialBasis(codes: LeNet1998.codes(classes), variance: 10).named("output")
  }
}

private enum LeNet1998 {
  /// The paper's table 1: which maps of S2 each map of C3 reads.
  static let table = [
    [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [0, 4, 5], [0, 1, 5],
    [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 5],
    [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5],
    [0, 1, 2, 3, 4, 5],
  ]

  /// What F6 is to show for each class, 84 numbers of ±1: pictures of the digits, 7 wide and 12
  /// high, and beyond ten classes codes at random, which the paper offers as the other way.
  static func codes(_ classes: Int) -> [[Float]] {
    let rows = glyphs.split(separator: "\n").map { $0.split(separator: " ") }
    return (0..<classes).map { label in
      if classes <= 10 {
        return rows.flatMap { row in row[label].map { $0 == "#" ? 1 : -1 } }
      }
      return Philox(seed: 0, stream: .initialization).uniforms(84, UInt32(label))
        .map { $0 < 0.5 ? -1 : 1 }
    }
  }

  private static let glyphs = """
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
    ..###.. ...#... .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
    .##.##. ..##... ##...## ##...## ...###. ##..... .##.... .....## ##...## ##...##
    ##...## .###... .....## .....## ..####. ##..... ##..... ....##. ##...## ##...##
    ##...## ...#... .....## .....## .##.##. ######. ##..... ....##. .##.##. ##...##
    ##...## ...#... ....##. ..####. ##..##. .....## ######. ...##.. ..###.. .######
    ##...## ...#... ...##.. .....## ##..##. .....## ##...## ...##.. .##.##. .....##
    ##...## ...#... ..##... .....## ####### .....## ##...## ..##... ##...## .....##
    ##...## ...#... .##.... .....## ....##. .....## ##...## ..##... ##...## ....##.
    .##.##. ...#... ##..... ##...## ....##. ##...## ##...## .##.... ##...## ...##..
    ..###.. .#####. ####### .#####. ....##. .#####. .#####. .##.... .#####. .###...
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
    """
}
