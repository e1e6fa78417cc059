import Foundation
import Kernels
import StrictJSON

extension PreparedManifest {
  /// Reads the manifest of a prepared model, strictly: no unknown, missing, double or impossible field, bundles and
  /// tensors without overlap inside their files.
  ///
  /// - Throws: ``CheckpointError`` naming the field.
  public init(folder: URL) throws { try self.init(file: folder.appending(path: Self.fileName)) }

  /// - Parameter file: a manifest under any name.
  public init(file: URL) throws { try self.init(bytes: readSmallFile(file, name: file.lastPathComponent)) }

  public init(bytes: [UInt8]) throws {
    if let manifest = ManifestText.read(bytes) {
      self = manifest
    } else {
      try self.init(anyText: bytes)
    }
  }

  /// Any JSON text of a manifest, and the first thing that is wrong with it.
  package init(anyText bytes: [UInt8]) throws {
    let root = try Fields(try parseJSON(bytes, file: Self.fileName), "manifest")
    let found = try root.integer("flotilla_prepared", 0...Int.max)
    guard found == Self.formatVersion else {
      throw CheckpointError.field(
        "flotilla_prepared", file: Self.fileName, expected: "\(Self.formatVersion)", found: "\(found)",
        hint: "Another version of flotilla prepared this model: run that version, or prepare it again.")
    }
    try root.refuseOthers(["flotilla_prepared", "version", "formats", "source", "files", "bundles"])
    version = try root.text("version", most: 100)
    formats = try root.text("formats", most: 1000)
    source = try PreparedSource(try root.fields("source"))
    files = try root.list("files", most: 100).map { try File($0) }
    bundles = try root.list("bundles", most: Self.mostBundles).map { try PreparedBundle($0) }
    for (earlier, later) in zip(bundles, bundles.dropFirst()) where earlier.name >= later.name {
      throw Fields.damaged("bundles", "names in ascending order", "\(later.name.text) after \(earlier.name.text)")
    }
    guard Set(files.map(\.name)).count == files.count else {
      throw Fields.damaged("files", "different names", "one of them twice")
    }
  }
}

extension PreparedManifest {
  /// More are no manifest.
  static let mostBundles = 1 << 17
}

extension PreparedManifest.File {
  fileprivate init(_ fields: Fields) throws {
    try fields.refuseOthers(["name", "bytes", "sha256"])
    name = try fields.text("name", most: 255)
    guard PreparedFolder.smallFiles.contains(name) else {
      throw fields.wrong("name", PreparedFolder.smallFiles.joined(separator: ", "), "\"\(name)\"")
    }
    bytes = try fields.integer("bytes", 0...1 << 40)
    hash = try fields.digest("sha256")
  }
}

extension PreparedBundle {
  /// More are no bundle.
  static let mostTensors = 1 << 20

  fileprivate init(_ fields: Fields) throws {
    try fields.refuseOthers(["name", "bytes", "digest", "tensors"])
    let text = try fields.text("name", most: 100)
    guard let name = BundleName(text) else {
      throw fields.wrong("name", "dense, gates, mtp or expert-N", "\"\(text)\"")
    }
    let inner = fields.named("bundle \(text)")
    let bytes = try inner.integer("bytes", BundleHeader.bytes...Int.max / 2)
    let tensors = try inner.list("tensors", most: Self.mostTensors).map { try PreparedTensor($0, bundle: text) }
    var end = BundleHeader.bytes
    for tensor in tensors {
      let place = "tensor \(CheckpointError.short(tensor.name)) of \(text)"
      guard tensor.offset == Self.aligned(end) else {
        throw Fields.damaged(place, "offset \(Self.aligned(end)), behind what comes before", "\(tensor.offset)")
      }
      end = tensor.range.upperBound
      guard end <= bytes else { throw Fields.damaged(place, "an end at \(bytes) bytes at most", "\(end)") }
    }
    guard end == bytes else { throw inner.wrong("bytes", "\(end), the end of the last tensor", "\(bytes)") }
    self.init(name: name, tensors: tensors, bytes: bytes)
    guard Set(tensors.map(\.name)).count == tensors.count else {
      throw inner.wrong("tensors", "different names", "one of them twice")
    }
    let digest = try inner.digest("digest")
    guard digest == self.digest else { throw inner.wrong("digest", "\(self.digest), over its tensors", "\(digest)") }
  }
}

extension PreparedTensor {
  fileprivate init(_ outer: Fields, bundle: String) throws {
    let name = try outer.text("name", most: 1000)
    let fields = outer.named("tensor \(CheckpointError.short(name)) of \(bundle)")
    try fields.refuseOthers(["name", "layout", "format", "shape", "offset", "bytes", "piece", "sha256"])
    let layout = try fields.layout()
    let shape = try fields.integers("shape", 1...Self.mostPerDimension, most: 3)
    guard let bytes = Self.bytes(layout, shape) else {
      throw fields.wrong("shape", "a shape that the layout and format allow", "\(shape)")
    }
    let said = try fields.integer("bytes", 0...Int.max)
    guard said == bytes else { throw fields.wrong("bytes", "\(bytes) for the shape \(shape)", "\(said)") }
    let offset = try fields.integer("offset", 0...Self.mostBytes)
    guard bytes <= Self.mostBytes else { throw fields.wrong("bytes", "at most \(Self.mostBytes)", "\(bytes)") }
    let piece = try fields.integer("piece", 1...bytes)
    let hashes = try fields.digests("sha256")
    let pieces = Self.pieces(bytes, of: piece)
    guard hashes.count == pieces else {
      throw fields.wrong("sha256", "\(pieces) hashes, one for each piece", "\(hashes.count)")
    }
    self.init(
      name: name, layout: layout, shape: shape, offset: offset, pieceBytes: piece, bytes: bytes, hashes: hashes)
  }
}

extension Fields {
  fileprivate func layout() throws -> PreparedTensor.Layout {
    let format = try text("format", most: 20)
    switch try text("layout", most: 20) {
    case "panels":
      guard let weights = WeightFormat(rawValue: format) else {
        throw wrong("format", WeightFormat.allCases.map(\.rawValue).joined(separator: ", "), "\"\(format)\"")
      }
      return .panels(weights)
    case "rows":
      guard let type = ElementType(rawValue: format) else {
        throw wrong("format", ElementType.allCases.map(\.rawValue).joined(separator: ", "), "\"\(format)\"")
      }
      return .rows(type)
    case let other: throw wrong("layout", "panels or rows", "\"\(other)\"")
    }
  }
}
