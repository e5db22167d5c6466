import TernCore

/// How picture files become samples; what of a picture is seen is told at `PictureFrame`.
public struct PictureOptions: Hashable, Sendable {
  /// What of a picture a sample shows.
  public enum CropMode: String, CaseIterable, Sendable {
    /// The middle of the largest centred rectangle of the sample's aspect.
    case center
    /// The middle of all of the picture, whose aspect is lost.
    case squash
  }

  /// The order of the three colours of pictures in arrays.
  public enum ChannelOrder: String, CaseIterable, Sendable {
    /// Red first, as Tern has them.
    case rgb
    /// Blue first, as Caffe has them; they are turned.
    case bgr
  }

  /// A sample, [C, H, W] with C of 1 (grey) or 3.
  public var shape: Shape
  /// What of a picture a sample shows.
  public var cropMode = CropMode.center
  /// The part that is seen of each side, above 0 to 1: 7/8 is the middle 224 pixels of 256.
  public var cropPart = 7.0 / 8
  /// The folder that the names in a list of pictures start from; `nil` for where the program was started, or
  /// the list lies.
  public var root: String?
  /// How colours lie in arrays of pictures, `npz:FILE` and `hdf5:FILE`.
  public var channelOrder = ChannelOrder.rgb

  /// Coloured squares.
  ///
  /// - Parameter size: the side of a sample, in pixels.
  public init(size: Int = 224) { shape = [3, size, size] }

  var view: PictureFrame.View {
    switch cropMode {
    case .center: .center(part: cropPart)
    case .squash: .squash(part: cropPart)
    }
  }

  /// What of a picture a network sees that was trained on this data: of data that is no pictures in
  /// files, all that its aspect allows.
  func view(trainedOn specification: String) -> PictureFrame.View {
    ["images", "list", "lmdb", "tar"].contains(DataSource.cut(specification).name)
      ? view : .center(part: 1)
  }
}
