/// The first bytes of a bundle: which bundle of which prepared model it is. They follow from the manifest, so that a
/// bundle of another model, or under another's name, is noticed when it is opened.
enum BundleHeader {
  static let bytes = 4096

  static func content(_ bundle: BundleName, size: Int, identity: Digest) -> [UInt8] {
    let text =
      "flotilla bundle \(PreparedManifest.formatVersion)\nname \(bundle.text)\nbytes \(size)\nmodel \(identity)\n"
    let used = Array(text.utf8)
    return used + [UInt8](repeating: 0, count: bytes - used.count)
  }
}
