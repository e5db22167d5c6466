/// This release. What is cached by one version is not used by another.
package enum TernRelease {
  package static let version = "0.1.0"
}
