import Foundation
import Kernels

/// Reads a manifest's text as ``PreparedManifest/json`` writes it, straight into tensors: one of R1 has 46,000, every rank
/// reads it when it starts, and a tree of JSON values takes ten times as long.
///
/// Whatever differs in the least is nil here and left to ``PreparedManifest/init(anyText:)``, which accepts all that this
/// accepts and says what is wrong with the rest.
package struct ManifestText {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  package static func read(_ bytes: [UInt8]) -> PreparedManifest? {
    bytes.withUnsafeBytes { bytes in
      var text = ManifestText(bytes: bytes)
      return text.manifest()
    }
  }

  private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private mutating func manifest() -> PreparedManifest? {
    // Outside of a string no quote has a backslash before it: this is a key.
    guard let end = Self.end(of: ",\"bundles\":[", in: bytes) else { return nil }
    guard var manifest = try? PreparedManifest(anyText: Array(bytes[..<end]) + Array("]}".utf8)) else { return nil }
    position = end
    var bundles: [PreparedBundle] = []
    if !takes("]") {
      repeat {
        guard let bundle = bundle(), bundles.count < PreparedManifest.mostBundles else { return nil }
        if let last = bundles.last, last.name >= bundle.name { return nil }
        bundles.append(bundle)
      } while takes(",")
      guard takes("]") else { return nil }
    }
    guard takes("}\n"), position == bytes.count else { return nil }
    manifest.bundles = bundles
    return manifest
  }

  private mutating func bundle() -> PreparedBundle? {
    guard takes("{\"name\":\""), let text = string(), let name = BundleName(text), takes("\",\"bytes\":"),
      let bytes = integer(), (BundleHeader.bytes...Int.max / 2).contains(bytes), takes(",\"digest\":\""),
      let digest = digest(), takes("\",\"tensors\":[")
    else { return nil }
    var tensors: [PreparedTensor] = []
    var end = BundleHeader.bytes
    if !takes("]") {
      repeat {
        guard let tensor = tensor(), tensor.offset == PreparedBundle.aligned(end) else { return nil }
        end = tensor.range.upperBound
        guard end <= bytes, tensors.count < PreparedBundle.mostTensors else { return nil }
        tensors.append(tensor)
      } while takes(",")
      guard takes("]") else { return nil }
    }
    let bundle = PreparedBundle(name: name, tensors: tensors, bytes: bytes)
    guard takes("}"), end == bytes, bundle.digest == digest else { return nil }
    var names: Set<String> = Set(minimumCapacity: tensors.count)
    return tensors.allSatisfy { names.insert($0.name).inserted } ? bundle : nil
  }

  private mutating func tensor() -> PreparedTensor? {
    guard takes("{\"name\":\""), let name = string(), !name.isEmpty, name.utf8.count <= 1000,
      takes("\",\"layout\":\""), let layout = layout(), takes("\",\"shape\":["), let shape = shape(),
      takes(",\"offset\":"), let offset = integer(), offset <= PreparedTensor.mostBytes, takes(",\"bytes\":"),
      let bytes = integer(), bytes <= PreparedTensor.mostBytes, PreparedTensor.bytes(layout, shape) == bytes,
      takes(",\"piece\":"), let piece = integer(), piece > 0, piece <= bytes, takes(",\"sha256\":[")
    else { return nil }
    let count = PreparedTensor.pieces(bytes, of: piece)
    guard count <= (self.bytes.count - position) / (2 * Digest.count) else { return nil }
    var hashes: [Digest] = []
    hashes.reserveCapacity(count)
    for index in 0..<count {
      guard index == 0 || takes(","), takes("\""), let hash = digest(), takes("\"") else { return nil }
      hashes.append(hash)
    }
    guard takes("]}") else { return nil }
    return PreparedTensor(
      name: name, layout: layout, shape: shape, offset: offset, pieceBytes: piece, bytes: bytes, hashes: hashes)
  }

  private mutating func layout() -> PreparedTensor.Layout? {
    if takes("panels\",\"format\":\"") {
      for format in WeightFormat.allCases where takes(format.rawValue, before: 34) { return .panels(format) }
    } else if takes("rows\",\"format\":\"") {
      for type in ElementType.allCases where takes(type.rawValue, before: 34) { return .rows(type) }
    }
    return nil
  }

  /// One to three dimensions and the bracket behind them.
  private mutating func shape() -> [Int]? {
    guard let first = integer() else { return nil }
    if takes("]") { return [first] }
    guard takes(","), let second = integer() else { return nil }
    if takes("]") { return [first, second] }
    guard takes(","), let third = integer(), takes("]") else { return nil }
    return [first, second, third]
  }

  // MARK: - Bytes

  /// The position behind the first occurrence.
  private static func end(of word: StaticString, in bytes: UnsafeRawBufferPointer) -> Int? {
    let count = word.utf8CodeUnitCount
    for start in 0..<max(bytes.count - count, 0) where bytes[start] == word.utf8Start[0] {
      if memcmp(bytes.baseAddress! + start, word.utf8Start, count) == 0 { return start + count }
    }
    return nil
  }

  @inline(__always)
  private mutating func takes(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard bytes.count - position >= count, memcmp(bytes.baseAddress! + position, word.utf8Start, count) == 0 else {
      return false
    }
    position += count
    return true
  }

  private mutating func takes(_ word: String, before next: UInt8) -> Bool {
    let end = position + word.utf8.count
    guard end < bytes.count, bytes[end] == next, bytes[position..<end].elementsEqual(word.utf8) else { return false }
    position = end
    return true
  }

  /// Printable ASCII without escapes, up to the quote.
  private mutating func string() -> String? {
    let start = position
    while position < bytes.count, bytes[position] != 34 {
      let byte = bytes[position]
      guard byte >= 0x20, byte < 0x7F, byte != 92 else { return nil }
      position += 1
    }
    return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
  }

  /// Up to 18 digits without a leading zero.
  private mutating func integer() -> Int? {
    let start = position
    var value = 0
    while position < bytes.count, bytes[position] &- 48 < 10 {
      value = value * 10 + Int(bytes[position] - 48)
      position += 1
      if position - start > 18 { return nil }
    }
    return position == start || (bytes[start] == 48 && position - start > 1) ? nil : value
  }

  private mutating func digest() -> Digest? {
    let end = position + 2 * Digest.count
    guard end <= bytes.count else { return nil }
    defer { position = end }
    return Digest(hexadecimal: UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
  }
}
