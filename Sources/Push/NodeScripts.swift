import Checkpoint
import Nodes

/// What push runs on a node: scripts for `sh` and the tools that every Linux has.
struct NodeScripts {
  static let stage = PreparedFolder.pushStage

  /// The destination on the node, without a slash at its end.
  let folder: String
  /// Names this push.
  let run: String

  private var setting: String { "d=\(ShellText.quoted(folder))\n" }

  private func script(_ body: String) -> [UInt8] {
    NodeScript.bytes(setting: setting, body)
  }

  /// Name of the file in the source folder that shows whether a node sees the same folder.
  var mark: String { ".push-\(run)" }

  /// What is there; changes nothing.
  func survey(_ files: [String], programs: [String]) -> [UInt8] {
    let names = files.map(ShellText.quoted).joined(separator: " ")
    let candidates = programs.map(ShellText.quoted).joined(separator: " ")
    return script(
      """
      echo "rsync $(rsync --version 2>/dev/null | head -n 1)"
      command -v sha256sum >/dev/null 2>&1 && echo sha256sum
      [ -f "$d/\(mark)" ] && echo source
      p=$d
      if [ -d "$d" ]; then
        [ -n "$(ls -A "$d" 2>/dev/null | head -n 1)" ] && echo occupied
        [ -d "$d/\(Self.stage)" ] && echo begun
        [ -f "$d/.preparation" ] && echo preparation
        [ -f "$d/manifest.json" ] && echo "manifest $(sha256sum < "$d/manifest.json" 2>/dev/null | cut -c 1-64)"
        (cd "$d" && stat -c 'file %s %n' -- \(names)) 2>/dev/null
        (cd "$d/\(Self.stage)" && stat -c 'part %s %n' -- \(names) *.bundle.??????) 2>/dev/null
      elif [ -e "$d" ]; then
        echo nofolder
      fi
      \(NodeScript.disk)
      [ -w "$p" ] || echo "unwritable $p"
      for c in \(candidates); do
        v=$("$c" --version </dev/null 2>/dev/null | head -n 1)
        [ -n "$v" ] && echo "flotilla $v $c"
      done
      """)
  }

  /// The text of a manifest that is there.
  func readManifest() -> [UInt8] { script("cat \"$d/manifest.json\"\necho") }

  /// Of the push that writes to the folder, below it.
  var lock: String { "\(Self.stage)/.lock" }

  /// Makes the folders, takes the lock, leaves this node's sign, and saves what a killed rsync left under a temporary
  /// name. Says "held" and whose the lock is, where it is another's.
  ///
  /// - Parameter gone: whose lock is taken away first.
  func claim(_ node: Int, breaking gone: PushHolder?) -> [UInt8] {
    script(
      """
      mkdir -p "$d/\(Self.stage)" || exit 1
      s="$d/\(Self.stage)"
      l="$d/\(lock)"
      h=
      [ -f "$l" ] && read -r h < "$l"
      [ -n "$h" ] && [ "$h" = \(ShellText.quoted(gone?.text ?? "")) ] && rm -f "$l"
      (set -C; echo \(ShellText.quoted(PushHolder(run: run).text)) > "$l") 2>/dev/null
      h=
      read -r h < "$l" || exit 1
      case $h in
      "\(run) "*) ;;
      *) echo "held $h"; echo \(NodeScript.end); exit 0 ;;
      esac
      for m in "$s"/.at-*; do
        case $m in
        */.at-\(run)-*) ;;
        *) rm -f "$m" ;;
        esac
      done
      : > "$s/.at-\(run)-\(node)" || exit 1
      for t in "$s"/*.bundle.??????; do
        [ -f "$t" ] || continue
        n=${t##*/}
        n=${n%.*}
        if [ -f "$s/$n" ] && [ "$(wc -c < "$s/$n")" -ge "$(wc -c < "$t")" ]; then
          rm -f "$t"
        else
          mv -f "$t" "$s/$n"
        fi
      done
      """)
  }

  /// Takes back what ``claim(_:breaking:)`` did; what was sent stays.
  func release() -> [UInt8] {
    script(
      """
      l="$d/\(lock)"
      h=
      [ -f "$l" ] && read -r h < "$l"
      case $h in
      "\(run) "*) rm -f "$l" ;;
      esac
      rm -f "$d/\(Self.stage)"/.at-\(run)-*
      rmdir "$d/\(Self.stage)" 2>/dev/null
      """)
  }

  /// Which nodes left their sign here: several, where they share a file system.
  func look() -> [UInt8] {
    script(
      """
      for m in "$d/\(Self.stage)"/.at-\(run)-*; do
        [ -f "$m" ] && echo "at ${m##*-}"
      done
      """)
  }

  /// Compares hashes with the manifest that waits in the stage; JSON lines.
  func verify(_ bundles: String, program: String) -> [UInt8] {
    script(
      NodeVerification.command(
        program: program, model: "\"$d\"", bundles: bundles, more: "--manifest \"$d/\(Self.stage)/manifest.json\""))
  }

  /// SHA-256 of whole files.
  func hash(_ files: [String]) -> [UInt8] {
    script("cd \"$d\" && sha256sum -- \(files.map(ShellText.quoted).joined(separator: " ")) || exit 1")
  }

  /// The manifest gets its name: from here on the folder is a prepared model.
  func finish() -> [UInt8] {
    script(
      """
      sync
      mv -f "$d/\(Self.stage)/manifest.json" "$d/manifest.json" || exit 1
      rm -rf "$d/\(Self.stage)"
      """)
  }
}
