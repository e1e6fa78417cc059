import Foundation
import Kernels

/// A prepared model: its bundles, mapped as far as they are there, their sizes and headers checked.
public final class PreparedStore: TensorStore {
  public let manifest: PreparedManifest
  public let folder: URL
  private let configuration: ModelConfiguration
  private let maps: [BundleName: MappedFile]
  /// By the names in the bundles: position of the bundle, and of the tensor in it. Without multi-token prediction.
  private let places: [String: (bundle: Int32, tensor: Int32)]
  /// Tensors of multi-token prediction, sorted.
  let skipped: [String]

  /// - Throws: ``CheckpointError`` where the manifest does not fit the configuration or a bundle not the manifest.
  init(folder: URL, manifest: PreparedManifest, configuration: ModelConfiguration) throws {
    self.folder = folder
    self.manifest = manifest
    self.configuration = configuration
    let check = PreparedCheck(manifest, configuration)
    try check.run()
    maps = try PreparedStore.open(manifest, folder)
    places = PreparedStore.places(manifest)
    skipped = manifest.bundles.first { $0.name == .mtp }?.tensors.map(\.name).sorted() ?? []
  }

  private static func places(_ manifest: PreparedManifest) -> [String: (bundle: Int32, tensor: Int32)] {
    var places: [String: (bundle: Int32, tensor: Int32)] = [:]
    places.reserveCapacity(manifest.bundles.reduce(0) { $0 + $1.tensors.count })
    for (position, bundle) in manifest.bundles.enumerated() where bundle.name != .mtp {
      for (index, tensor) in bundle.tensors.enumerated() { places[tensor.name] = (Int32(position), Int32(index)) }
    }
    return places
  }

  private func place(_ name: String) -> (bundle: BundleName, tensor: PreparedTensor)? {
    guard let place = places[name] else { return nil }
    let bundle = manifest.bundles[Int(place.bundle)]
    return (bundle.name, bundle.tensors[Int(place.tensor)])
  }

  private static func open(_ manifest: PreparedManifest, _ folder: URL) throws -> [BundleName: MappedFile] {
    var maps: [BundleName: MappedFile] = [:]
    for bundle in manifest.bundles {
      let file = bundle.name.fileName
      guard PreparedFolder.exists(file, in: folder) else { continue }
      maps[bundle.name] = try open(bundle, folder.appending(path: file), identity: manifest.identity)
    }
    return maps
  }

  /// Checks size and header.
  static func open(_ bundle: PreparedBundle, _ url: URL, identity: Digest) throws -> MappedFile {
    let file = bundle.name.fileName
    let map = try MappedFile(url, name: file)
    guard map.bytes.count == bundle.bytes else {
      throw CheckpointError(
        file: file, subject: "file size", expected: "\(bundle.bytes) bytes", found: "\(map.bytes.count) bytes",
        hint: "The bundle is truncated or of another model: \(CheckpointError.wayToNewBundle).")
    }
    let header = BundleHeader.content(bundle.name, size: bundle.bytes, identity: identity)
    guard map.bytes.prefix(header.count).elementsEqual(header) else {
      throw CheckpointError(
        file: file, subject: "header", expected: "\(bundle.name.text) of the model in \(PreparedManifest.fileName)",
        found: "another bundle or another model's, or damage", hint: "The bundle: \(CheckpointError.wayToNewBundle).")
    }
    return map
  }

  // MARK: - As the tensors of a checkpoint

  var fileCount: Int { maps.count }
  var tensorBytes: Int { manifest.bundles.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.bytes } } }
  var headerHashes: [[UInt8]] { [manifest.identity.bytes] }
  var mappedFiles: [MappedFile] { Array(maps.values) }

  var tensors: [String: TensorInfo] {
    var tensors: [String: TensorInfo] = [:]
    PreparedInventory(configuration).forEach { item in
      let name = item.content == .keys ? item.source.name : item.name
      tensors[name] = info(name)
    }
    return tensors
  }

  /// Official names only; `kv_b_proj` covers all that it became.
  func info(_ name: String) -> TensorInfo? {
    guard let (bundle, tensor) = place(name) else { return latentUp(name) }
    guard tensor.shape.count < 3 else { return nil }
    return TensorInfo(
      name: name, type: tensor.elementType, shape: tensor.shape, file: bundle.fileName, byteRange: tensor.range)
  }

  private func latentUp(_ name: String) -> TensorInfo? {
    let names = LatentUpNames(name)
    guard let (bundle, keys) = place(names.keys), let (_, values) = place(names.values) else { return nil }
    let model = configuration
    return TensorInfo(
      name: name, type: keys.elementType,
      shape: [model.heads * (model.nopeDimension + model.valueDimension), model.latentRank], file: bundle.fileName,
      byteRange: keys.range.lowerBound..<max(keys.range.upperBound, values.range.upperBound))
  }

  func storedBytes(_ tensor: TensorInfo) -> Int { tensor.byteRange.count }

  func matrix(_ tensor: TensorInfo) throws -> TensorSource {
    guard let (bundle, prepared) = place(tensor.name), case .rows = prepared.layout else {
      throw CheckpointError.tensor(
        tensor.name, file: tensor.file, expected: "rows as a checkpoint stores them", found: "panels, ready to run",
        hint: "A prepared model only runs: give the checkpoint that it was made from.")
    }
    return TensorSource(
      name: tensor.name, rows: tensor.shape[0], columns: tensor.shape[1], type: tensor.type,
      layout: .rows(.init(map: try map(bundle), range: prepared.range)))
  }

  func vector(_ tensor: TensorInfo) throws -> TensorSource.MappedRange {
    guard let (bundle, prepared) = place(tensor.name) else { preconditionFailure("one of the tensors") }
    return TensorSource.MappedRange(map: try map(bundle), range: prepared.range)
  }

  private func map(_ bundle: BundleName) throws -> MappedFile {
    guard let map = maps[bundle] else { throw missing([bundle]) }
    return map
  }

  // MARK: - Ready to run

  /// The matrices of a tensor, mapped; several where it holds one for each head.
  ///
  /// - Parameter name: as ``PreparedInventory`` has it.
  /// - Throws: ``CheckpointError`` where its bundle is not here.
  public func matrices(_ name: String) throws -> [PackedMatrix] {
    guard let (bundle, tensor) = place(name) else {
      throw CheckpointError.tensor(
        name, file: PreparedManifest.fileName, expected: "the tensor", found: "nothing",
        hint: "Its bundle was not prepared: prepare it into this folder.")
    }
    guard case .panels(let format) = tensor.layout else {
      throw CheckpointError.tensor(
        name, file: bundle.fileName, expected: "panels", found: "rows", hint: "Prepare the model again.")
    }
    let map = try map(bundle)
    let (rows, columns) = (tensor.shape[tensor.shape.count - 2], tensor.shape[tensor.shape.count - 1])
    let bytes = format.bytes(rows: rows, columns: columns)
    let step = tensor.shape.count == 3 ? PreparedBundle.aligned(bytes) : bytes
    return stride(from: tensor.range.lowerBound, to: tensor.range.upperBound, by: step).map { start in
      PackedMatrix(
        rows: rows, columns: columns, format: format,
        panels: UnsafeRawBufferPointer(rebasing: map.bytes[start..<start + bytes]), owner: map)
    }
  }

  /// Asks the system to read a tensor's pages, without waiting for them.
  public func fetchAhead(_ name: String) {
    if let (bundle, tensor) = place(name) { maps[bundle]?.fetchAhead(tensor.range) }
  }

  /// Gives a tensor's pages back to the system once its matrices were copied.
  public func release(_ name: String) {
    if let (bundle, tensor) = place(name) { maps[bundle]?.release(tensor.range) }
  }

  /// Bundles of the manifest that lie here, ascending.
  public var present: [BundleName] { manifest.bundles.map(\.name).filter { maps[$0] != nil } }

  /// "1 of 34 bundles is not here: expert 3"; nil where all are.
  public var missingText: String? {
    let absent = manifest.bundles.map(\.name).filter { maps[$0] == nil }
    guard !absent.isEmpty else { return nil }
    let (names, experts) = BundleName.sorted(absent)
    let list = names + (experts.isEmpty ? [] : ["expert \(ExpertRanges.text(experts, most: 8))"])
    return "\(absent.count) of \(manifest.bundles.count) bundles \(absent.count == 1 ? "is" : "are") not here: "
      + list.joined(separator: ", ")
  }

  /// - Throws: ``CheckpointError`` that names the bundles that are not here.
  public func require(_ bundles: [BundleName]) throws {
    let absent = bundles.filter { maps[$0] == nil }
    if !absent.isEmpty { throw missing(absent) }
  }

  /// Bundles that are not here, in words and with their bytes: "expert 4-15 (1.20 GiB)"; nil where all are.
  ///
  /// - Parameter sizes: of all bundles; the manifest has only those that were prepared here.
  public func absent(of bundles: [BundleName], sizes: () -> [BundleName: Int]) -> String? {
    let absent = bundles.filter { maps[$0] == nil }
    guard !absent.isEmpty else { return nil }
    let known = Dictionary(uniqueKeysWithValues: manifest.bundles.map { ($0.name, $0.bytes) })
    let all = absent.allSatisfy { known[$0] != nil } ? known : sizes().merging(known) { $1 }
    let bytes = absent.reduce(0) { $0 + (all[$1] ?? 0) }
    let (names, experts) = BundleName.sorted(absent)
    let list = names + (experts.isEmpty ? [] : ["expert " + ExpertRanges.text(experts, most: 20)])
    return list.joined(separator: ", ") + " (\(Disk.text(bytes)))"
  }

  private func missing(_ bundles: [BundleName]) -> CheckpointError {
    var (names, experts) = BundleName.sorted(bundles)
    if !experts.isEmpty { names.append("expert " + ExpertRanges.text(experts)) }
    let options = experts.isEmpty ? "--experts none" : "--experts \(ExpertRanges.text(experts))"
    let dense = bundles.contains(.dense) ? "" : " --no-dense"
    return CheckpointError(
      file: folder.path(percentEncoded: false), subject: "bundles", expected: names.joined(separator: ", "),
      found: manifest.bundles.isEmpty ? "no bundles" : "no such files in the folder",
      hint: "Copy \(bundles.count == 1 ? "it" : "them") from where the model was prepared, or add "
        + "\(bundles.count == 1 ? "it" : "them") with flotilla prepare SOURCE FOLDER \(options)\(dense).")
  }

  /// A bundle and its mapped memory; nil where it is not here.
  func mapped(_ name: BundleName) -> (bundle: PreparedBundle, map: MappedFile)? {
    guard let map = maps[name], let bundle = manifest.bundles.first(where: { $0.name == name }) else { return nil }
    return (bundle, map)
  }
}

extension PreparedTensor {
  /// The element type that comes closest.
  fileprivate var elementType: ElementType {
    switch layout {
    case .rows(let type): type
    case .panels(let format):
      switch format {
      case .f32: .f32
      case .bf16: .bf16
      case .fp8: .f8e4m3
      case .q8_0: .q8_0
      case .q4_1: .q4_1
      case .q4_K: .q4_K
      case .q6_K: .q6_K
      }
    }
  }
}
