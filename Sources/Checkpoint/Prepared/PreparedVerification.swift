import Foundation
import Kernels

/// Compares the files of a prepared model with a manifest, which may lie elsewhere. A difference does not end it: what
/// is to be copied again should be known at once.
public struct PreparedVerification {
  private struct Piece {
    let bundle: PreparedBundle
    let map: MappedFile
    let tensor: PreparedTensor
    let index: Int

    var range: Range<Int> { tensor.range(ofPiece: index) }
  }

  private let folder: URL
  private let manifest: PreparedManifest

  public init(_ manifest: PreparedManifest, of folder: URL) {
    self.manifest = manifest
    self.folder = folder
  }

  /// Compares the small files and all bytes of some bundles, on all threads of a pool.
  ///
  /// - Parameters:
  ///   - bundles: of the manifest.
  ///   - report: called with the first difference of each file; what it throws ends the work.
  public func run(
    _ bundles: [BundleName], pool: ThreadPool, progress: ByteProgress = { _, _ in },
    report: (CheckpointError) throws -> Void
  ) throws {
    for file in manifest.files { if let difference = difference(file) { try report(difference) } }
    var pieces: [Piece] = []
    for name in bundles {
      do {
        let (bundle, map) = try open(name)
        for tensor in bundle.tensors {
          pieces += tensor.hashes.indices.map { Piece(bundle: bundle, map: map, tensor: tensor, index: $0) }
        }
      } catch let error as CheckpointError {
        try report(error)
      }
    }
    let total = pieces.reduce(0) { $0 + $1.range.count }
    var done = 0
    var damaged: Set<BundleName> = []
    for wave in pool.waves(pieces.count) {
      let differences = TileResults<CheckpointError>(count: wave.count)
      pool.run(tiles: wave.count) { differences[$0] = Self.difference(pieces[wave.lowerBound + $0]) }
      for (tile, piece) in pieces[wave].enumerated() {
        if let found = differences[tile], damaged.insert(piece.bundle.name).inserted { try report(found) }
      }
      done += pieces[wave].reduce(0) { $0 + $1.range.count }
      try progress(done, total)
    }
  }

  private func open(_ name: BundleName) throws -> (PreparedBundle, MappedFile) {
    guard let bundle = manifest.bundles.first(where: { $0.name == name }) else {
      throw CheckpointError.field(
        "bundles", file: PreparedManifest.fileName, expected: name.text, found: "no such bundle",
        hint: "Prepare it into this folder.")
    }
    return (
      bundle,
      try PreparedStore.open(bundle, folder.appending(path: name.fileName), identity: manifest.identity)
    )
  }

  private func difference(_ file: PreparedManifest.File) -> CheckpointError? {
    do {
      let found = Digest(of: try readSmallFile(folder.appending(path: file.name), name: file.name))
      guard found != file.hash else { return nil }
      return CheckpointError(
        file: file.name, subject: "sha256", expected: "\(file.hash)", found: "\(found)",
        hint: "The file was changed or is damaged: copy it again, or prepare the model again.")
    } catch let error as CheckpointError {
      return error
    } catch {
      return CheckpointError(
        file: file.name, subject: "file", expected: "to read it", found: "\(error)", hint: "Copy it again.")
    }
  }

  private static func difference(_ piece: Piece) -> CheckpointError? {
    let found = Digest(of: UnsafeRawBufferPointer(rebasing: piece.map.bytes[piece.range]))
    let expected = piece.tensor.hashes[piece.index]
    let end = piece.tensor.range.upperBound
    let gap = end..<min(PreparedBundle.aligned(end), piece.bundle.bytes)
    let isPadded = piece.map.bytes[gap].allSatisfy { $0 == 0 }
    guard found != expected || !isPadded else { return nil }
    return .tensor(
      piece.tensor.name, file: piece.bundle.name.fileName,
      expected: found == expected
        ? "zeros behind it"
        : "sha256 \(expected) of bytes \(piece.range.lowerBound) to \(piece.range.upperBound - 1)",
      found: found == expected ? "other bytes" : "\(found)",
      hint: "The bundle is damaged: \(CheckpointError.wayToNewBundle).")
  }
}
