import Nodes

/// What a node is asked: a script for `sh` and the tools that every Linux has, which then has `flotilla` there say more.
struct DoctorScript {
  /// Path of flotilla on the node, or a name for its PATH.
  let program: String
  /// Folder or file of the model there, without a slash at its end; nil: none.
  let model: String?
  /// Names of files in that folder.
  let files: [String]
  /// The other nodes.
  let peers: [String]

  var bytes: [UInt8] { NodeScript.bytes(setting: setting, Self.machine + modelPart + programPart) }

  private var setting: String {
    "c=\(ShellText.quoted(program))\nd=\(ShellText.quoted(model ?? "."))\n"
  }

  /// The clock first, since what comes before it counts as its lag.
  private static let machine = """
    echo "clock $(date +%s.%N)"
    echo "host $(uname -n)"
    echo "system $(uname -s -r -m)"
    echo "processors $(getconf _NPROCESSORS_ONLN 2>/dev/null)"
    grep -E '^Mem(Total|Available):' /proc/meminfo 2>/dev/null
    echo "load $(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null)"
    echo "mpirun $(mpirun --version 2>/dev/null | head -n 1)"
    if command -v orted >/dev/null 2>&1 || command -v prted >/dev/null 2>&1; then echo daemon; fi

    """

  private var modelPart: String {
    let names = files.map(ShellText.quoted).joined(separator: " ")
    return """
      p=$d
      \(model == nil ? "" : "[ -e \"$d\" ] && echo model")
      \(NodeScript.disk)
      \(model == nil ? "" : "[ -f \"$d/manifest.json\" ] && echo \"manifest $(sha256sum < \"$d/manifest.json\" 2>/dev/null | cut -c 1-64)\"")
      \(files.isEmpty ? "" : "(cd \"$p\" && stat -L -c 'file %s %n' -- \(names)) 2>/dev/null")

      """
  }

  private var programPart: String {
    let others = peers.isEmpty ? "" : " --peers \(ShellText.quoted(peers.joined(separator: ",")))"
    return """
      x=$(command -v "$c" 2>/dev/null)
      if [ -n "$x" ]; then
        echo "program $x"
        echo "version $("$x" --version </dev/null 2>/dev/null | head -n 1)"
        echo "hash $(sha256sum < "$x" 2>/dev/null | cut -c 1-64)"
        "$x" doctor --this-node --json\(others) </dev/null 2>&1 | sed 's/^/facts /'
      fi
      """
  }
}
