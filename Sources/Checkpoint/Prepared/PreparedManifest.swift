import StrictJSON

/// `manifest.json` of a prepared model: what it was made from and what its bundles hold.
public struct PreparedManifest: Sendable, Equatable {
  /// Changes with the layout of panels or bundles, with the manifest, and with what quantising gives.
  public static let formatVersion = 1
  public static let fileName = "manifest.json"

  /// A small file beside the bundles.
  public struct File: Sendable, Equatable {
    public let name: String
    public let bytes: Int
    public let hash: Digest

    package init(name: String, bytes: Int, hash: Digest) {
      self.name = name
      self.bytes = bytes
      self.hash = hash
    }
  }

  /// Version of the program that wrote it.
  public let version: String
  /// Run formats of the weights, as `--quant` takes them.
  public let formats: String
  public let source: PreparedSource
  public internal(set) var files: [File]
  /// Ascending by name; bundles that lie elsewhere may be among them.
  public internal(set) var bundles: [PreparedBundle]

  public init(version: String, formats: String, source: PreparedSource, files: [File], bundles: [PreparedBundle]) {
    self.version = version
    self.formats = formats
    self.source = source
    self.files = files
    self.bundles = bundles
  }

  /// The same for all parts of a prepared model, wherever each was made: format, source and run formats.
  public var identity: Digest {
    Digest(of: Array("\(Self.formatVersion)\n\(source.fingerprint)\n\(source.sample)\n\(formats)".utf8))
  }

  /// Bytes of all bundles.
  public var bytes: Int { bundles.reduce(0) { $0 + $1.bytes } }
}

extension PreparedManifest {
  /// The text of the file.
  package var json: [UInt8] {
    JSONText.bytes(
      .members([
        "flotilla_prepared": .int(Self.formatVersion), "version": .text(version), "formats": .text(formats),
        "source": source.json,
        "files": .array(
          files.map { .members(["name": .text($0.name), "bytes": .int($0.bytes), "sha256": .text("\($0.hash)")]) }),
        "bundles": .array(bundles.map(\.json)),
      ])) + [10]
  }
}

extension PreparedBundle {
  fileprivate var json: JSONValue {
    .members([
      "name": .text(name.text), "bytes": .int(bytes), "digest": .text("\(digest)"),
      "tensors": .array(tensors.map(\.json)),
    ])
  }
}

extension PreparedTensor {
  fileprivate var json: JSONValue {
    let (kind, format) =
      switch layout {
      case .panels(let format): ("panels", format.rawValue)
      case .rows(let type): ("rows", type.rawValue)
      }
    return .members([
      "name": .text(name), "layout": .text(kind), "format": .text(format), "shape": .array(shape.map { .int($0) }),
      "offset": .int(offset), "bytes": .int(bytes), "piece": .int(pieceBytes),
      "sha256": .array(hashes.map { .text("\($0)") }),
    ])
  }
}
