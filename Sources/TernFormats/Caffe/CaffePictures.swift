import TernCore
import TernData

/// What a layer of data says of the pictures that its list names.
struct CaffePictures {
  private let layer: CaffeLayer
  let isColoured: Bool
  /// Height and width that pictures are resized to; `nil` where they come as they are.
  private let size: [Int]?
  /// The side of the square that is cut out of them; `nil` for all.
  private let crop: Int?

  private static let extents = 0...1 << 15

  /// - Parameter layer: of the type ImageData.
  init(_ layer: CaffeLayer) throws {
    self.layer = layer
    let own = try layer.settings("image_data_param")
    isColoured = try own.truth("is_color", true)
    let (height, width) = (
      try own.integer("new_height", in: Self.extents) ?? 0,
      try own.integer("new_width", in: Self.extents) ?? 0
    )
    guard (height > 0) == (width > 0) else {
      throw layer.fault("new_height and new_width go together")
    }
    size = height > 0 ? [height, width] : nil
    let crop = try layer.transform().integer("crop_size", in: Self.extents) ?? 0
    self.crop = crop > 0 ? crop : nil
    if let size, crop > 0, size[0] != size[1] || crop > size[0] {
      throw layer.fault(
        "crop_size \(crop) of \(size[0])×\(size[1]) pictures; squares at least as large are known here"
      )
    }
  }

  /// Height and width of a sample; `nil` where pictures decide.
  var sampleSize: [Int]? { crop.map { [$0, $0] } ?? size }

  /// The settings of a run that say the same.
  ///
  /// - Parameter path: the net's file.
  func settings(beside path: String) throws -> [String: AttributeValue] {
    var settings: [String: AttributeValue] = [:]
    if let size {
      // Resized without regard to their aspect, of which the middle is cut out.
      settings["crop_mode"] = .string(PictureOptions.CropMode.squash.rawValue)
      settings["crop_pct"] = .double(crop.map { Double($0) / Double(size[0]) } ?? 1)
    }
    let own = try layer.settings("image_data_param")
    if let root = try own.text("root_folder"), !root.isEmpty {
      settings["image_root"] = .string(CaffeSolver.located(root, beside: path))
    }
    return settings
  }
}
