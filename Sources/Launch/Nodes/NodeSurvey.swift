import Nodes
import Synchronization

/// What a launcher asks each node before it starts a job there.
public struct NodeSurvey: Sendable, Equatable {
  public let host: String
  /// NUMA domains and logical processors.
  public var domains = 1
  public var processors = 1
  /// SHA-256 of the program in hexadecimal; nil where there is none that runs.
  public var program: String?
  public var runtime: MPIRuntime?
  /// Why nothing could be asked.
  public var failure: NodeError?

  init(host: String) { self.host = host }

  /// - Parameter lines: as ``script(program:)`` prints them.
  init(host: String, _ lines: [String]) {
    self.host = host
    for line in lines {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      guard words.count == 2 else { continue }
      switch words[0] {
      case "domains": domains = max(1, Int(words[1]) ?? 1)
      case "processors": processors = max(1, Int(words[1]) ?? 1)
      case "program": program = words[1]
      case "mpirun": runtime = try? MPIRuntime(versionText: words[1])
      default: break
      }
    }
  }

  static func script(program: String) -> [UInt8] {
    NodeScript.bytes(
      """
      echo "domains $(ls -d /sys/devices/system/node/node[0-9]* 2>/dev/null | wc -l)"
      echo "processors $(nproc 2>/dev/null)"
      p=\(ShellText.quoted(program))
      [ -x "$p" ] && echo "program $(sha256sum < "$p" 2>/dev/null | cut -c 1-64)"
      echo "mpirun $(mpirun --version 2>/dev/null | head -n 1)"
      """)
  }

  /// Asks all nodes at once.
  ///
  /// - Parameter program: absolute path of flotilla there.
  public static func ask(
    _ hosts: [String], _ shell: RemoteShell, program: String, isCancelled: @escaping @Sendable () -> Bool
  ) -> [NodeSurvey] {
    let found = Mutex([NodeSurvey?](repeating: nil, count: hosts.count))
    concurrently(hosts.count, most: 32) { index in
      let link = NodeLink(host: hosts[index], shell: shell, isCancelled: isCancelled)
      var survey = NodeSurvey(host: hosts[index])
      do {
        survey = NodeSurvey(host: hosts[index], try link.lines(script(program: program)))
      } catch let error as NodeError {
        survey.failure = error
      } catch {
        survey.failure = NodeError("no answer in time", node: hosts[index])
      }
      found.withLock { [survey] in $0[index] = survey }
    }
    return found.withLock { $0 }.compactMap { $0 }
  }
}
