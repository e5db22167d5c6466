/// This release.
public enum TernRelease {
  public static let version = "0.1.0"
}
