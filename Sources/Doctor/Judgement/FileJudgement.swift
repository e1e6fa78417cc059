/// Whether what the ranks of a node read lies there.
struct FileJudgement {
  let need: NodeNeed
  let shell: ShellFacts
  let node: Examination.Node
  let examination: Examination

  private var isPrepared: Bool { need.bundles != nil }
  private var push: String { isPrepared ? "flotilla push sends what is missing" : "copy it to the same path there" }

  /// Of files and disk.
  var findings: [Finding] {
    var findings: [Finding] = []
    var missing = 0
    if let model = examination.model, let path = model.path, !need.files.isEmpty {
      let absent = need.files.filter { file in !shell.files.contains { $0.name == file.name } }
      missing = absent.reduce(0) { $0 + $1.bytes }
      findings.append(files(model, path, absent))
    }
    if let disk = disk(missing) { findings.append(disk) }
    return findings
  }

  private func files(_ model: Examination.Model, _ path: String, _ absent: [ShellFacts.File]) -> Finding {
    guard shell.hasModel else { return Finding(.red, .files, "nothing at \(path)", advice: push) }
    if let manifest = model.manifest, shell.manifest != manifest {
      let found = shell.manifest == nil ? "no manifest at \(path)" : "another manifest at \(path)"
      return Finding(
        .red, .files, "\(found): another model, or one that push has not finished",
        advice: "flotilla push says what is there, and finishes it")
    }
    guard absent.isEmpty else {
      return Finding(
        .red, .files,
        "\(Amount.count(absent.count, "file")) of \(need.files.count) missing: \(Amount.list(absent.map(\.name))), "
          + "\(Amount.bytes(absent.reduce(0) { $0 + $1.bytes }))", advice: push)
    }
    let wrong = need.files.filter { !shell.files.contains($0) }.map(\.name)
    guard wrong.isEmpty else {
      return Finding(.red, .files, "of another size than here: \(Amount.list(wrong))", advice: push)
    }
    if let damages = node.damages, let first = damages.first {
      let more = damages.count > 1 ? ", and \(damages.count - 1) more" : ""
      return Finding(
        .red, .files, "damaged: \(first.file): \(first.text)\(more)",
        advice: "flotilla push sends the parts that differ; if it happens again, suspect disk or memory there")
    }
    let what = "\(Amount.count(need.files.count, "file")), \(Amount.bytes(need.files.reduce(0) { $0 + $1.bytes }))"
    let bundles = need.bundles.map { " (bundles \($0))" } ?? ""
    let verdict = node.damages != nil ? "hashes as in the manifest" : "sizes as here"
    return Finding(.green, .files, "\(what)\(bundles), \(verdict)")
  }

  private func disk(_ missing: Int) -> Finding? {
    guard let free = shell.diskFree else { return nil }
    var text = "\(Amount.bytes(free)) free"
    if let bundles = need.diskBytes {
      text += ", \(Amount.bytes(bundles)) of bundles for its ranks"
      if free < bundles {
        return Finding(
          .red, .disk, text,
          advice:
            "make room for \(Amount.bytes(bundles - free)) there, or name a folder on another disk with --at; if they "
            + "lie there already, name the model in place of --like")
      }
    }
    if free < missing {
      return Finding(
        .red, .disk, "\(text), \(Amount.bytes(missing)) still to come",
        advice: "make room for \(Amount.bytes(missing - free)) there, or use another folder")
    }
    if free < 1 << 30 {
      return Finding(.amber, .disk, text, advice: "session folders and journals need a little room: free some")
    }
    return Finding(.green, .disk, text)
  }
}
