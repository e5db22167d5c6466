/// The version of this package; what is cached by one version is not used by another.
public enum TernVersion {
  public static let string = "0.1.0"
}
