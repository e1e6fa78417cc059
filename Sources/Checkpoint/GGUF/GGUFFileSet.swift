import Foundation

/// The files of a GGUF model: one, or the parts of a split one, in order. All metadata are in the first.
struct GGUFFileSet {
  /// Those that are there.
  let files: [GGUFFile]
  /// Names of the parts that are not.
  let missing: [String]
  /// Tensors of all parts together, as the parts say; nil where the model is not split.
  let tensorCount: Int?

  /// The first file's.
  var metadata: GGUFMetadata { files[0].header.metadata }
  var name: String { files[0].name }

  /// Opens the file and, where it is a part, the parts beside it, and checks that they belong together.
  ///
  /// - Throws: ``CheckpointError``: also where the first part is absent.
  init(_ url: URL) throws {
    let file = try GGUFFile(url)
    guard let name = GGUFPartName(file.name) else {
      try GGUFFileSet.requireWhole(file)
      (files, missing, tensorCount) = ([file], [], nil)
      return
    }
    let folder = url.deletingLastPathComponent()
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    try GGUFFileSet.refuseSurplus(name, names)
    let wanted = (1...name.count).map { name.part($0).text }
    // A link that leads nowhere is a part that is not there.
    let present = wanted.filter {
      FileManager.default.fileExists(atPath: folder.appending(path: $0).path(percentEncoded: false))
    }
    missing = wanted.filter(Set(wanted).subtracting(present).contains)
    files = try present.map { $0 == file.name ? file : try GGUFFile(folder.appending(path: $0)) }
    guard wanted[0] == files.first?.name else {
      throw CheckpointError(
        file: wanted[0], subject: "file", expected: "the first of \(name.count) parts, which holds the metadata",
        found: "nothing", hint: "Fetch it too, into the same folder.")
    }
    tensorCount = try GGUFFileSet.check(files, of: name)
    try checkTensors()
  }

  /// - Throws: ``CheckpointError`` that names the parts that are not there.
  func requireComplete() throws {
    guard !missing.isEmpty else { return }
    let shown = missing.prefix(20).joined(separator: ", ") + (missing.count > 20 ? ", …" : "")
    throw CheckpointError(
      file: name, subject: "field \(GGUFKeys.splitCount)", expected: "\(files.count + missing.count) files",
      found: "\(missing.count) of them missing: \(shown)",
      hint: "Fetch them into the same folder; flotilla inspect tells from the first what the model is.")
  }
}

// MARK: - Checks

extension GGUFFileSet {
  /// What is no part must be whole.
  private static func requireWhole(_ file: GGUFFile) throws {
    let count = file.header.metadata[GGUFKeys.splitCount]
    guard let count, count.integer.map({ $0 > 1 }) ?? true else { return }
    let example = GGUFPartName(prefix: "NAME", number: 1, count: 9).text
    throw CheckpointError.field(
      GGUFKeys.splitCount, file: file.name, expected: "nothing or 1 in a file whose name is not like \(example)",
      found: count.shown,
      hint: "Parts of a split model are found by their names: give all of them back the names that they had.")
  }

  private static func refuseSurplus(_ name: GGUFPartName, _ names: [String]) throws {
    let surplus = names.filter {
      guard let other = GGUFPartName($0) else { return false }
      return other.prefix == name.prefix && other.count == name.count && !(1...name.count).contains(other.number)
    }
    guard let first = surplus.min() else { return }
    throw CheckpointError(
      file: first, subject: "file name", expected: "a number from 1 to \(name.count)",
      found: "\(GGUFPartName(first)?.number ?? 0)", hint: "It is no part of that model: rename it, or move it away.")
  }

  /// - Returns: the number of tensors in all parts.
  private static func check(_ files: [GGUFFile], of name: GGUFPartName) throws -> Int? {
    let first = files[0]
    // A single file under such a name needs no keys.
    if name.count == 1, first.header.metadata[GGUFKeys.splitCount] == nil { return nil }
    var total: Int?
    for file in files {
      let metadata = file.header.metadata
      let number = GGUFPartName(file.name)?.number ?? 0
      func require(_ key: String, _ expected: Int, _ reason: String) throws {
        guard metadata[key]?.integer != expected else { return }
        throw CheckpointError.field(
          key, file: file.name, expected: "\(expected), \(reason)", found: metadata[key]?.shown ?? "nothing",
          hint: "The files do not belong together, or one was renamed: fetch this one again.")
      }
      try require(GGUFKeys.splitCount, name.count, "as its name says")
      try require(GGUFKeys.splitNumber, number - 1, "one less than in its name")
      if let total {
        try require(GGUFKeys.splitTensors, total, "as in \(first.name)")
      } else {
        guard let count = metadata[GGUFKeys.splitTensors]?.integer, count >= 0 else {
          throw CheckpointError.field(
            GGUFKeys.splitTensors, file: file.name, expected: "the number of tensors in all parts",
            found: metadata[GGUFKeys.splitTensors]?.shown ?? "nothing", hint: "Split the model again.")
        }
        total = count
      }
      try requireSameModel(file, first)
    }
    return total
  }

  /// What a further part says about the model must be what the first says.
  private static func requireSameModel(_ file: GGUFFile, _ first: GGUFFile) throws {
    for (key, value) in file.header.metadata.pairs where key != GGUFHeader.alignmentKey && !key.hasPrefix("split.") {
      guard let expected = first.header.metadata[key], expected != value else { continue }
      throw CheckpointError.field(
        key, file: file.name, expected: "\(expected.shown), as in \(first.name)",
        found: value.shown == expected.shown ? "another" : value.shown,
        hint: "The files are parts of different models: fetch this one again.")
    }
  }

  /// Each tensor lies in one part, and together they are as many as the parts say.
  private func checkTensors() throws {
    var places: [String: String] = [:]
    for file in files {
      for tensor in file.header.tensors {
        guard let other = places.updateValue(file.name, forKey: tensor.name) else { continue }
        throw CheckpointError.tensor(
          tensor.name, file: file.name, expected: "each tensor in one part", found: "it in \(other) too",
          hint: "The files do not belong together: fetch one of them again.")
      }
    }
    guard let tensorCount, missing.isEmpty ? places.count != tensorCount : places.count > tensorCount else { return }
    throw CheckpointError.field(
      GGUFKeys.splitTensors, file: name, expected: "\(tensorCount) tensors in all parts", found: "\(places.count)",
      hint: "The files do not belong together: fetch them again.")
  }
}
