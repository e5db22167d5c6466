/// This release. What is cached by one version is not used by another.
public enum TernRelease {
  public static let version = "0.1.0"
}
