import Foundation
import Kernels
import Nodes
import Synchronization

/// What a job leaves on a node whose daemon of mpirun was killed: its ranks for a moment, session folders, and shared
/// memory. Whoever kills a daemon keeps it from tidying up.
public enum JobRemains {
  /// Removes what is left on nodes that can be reached.
  ///
  /// - Parameters:
  ///   - secret: of the job's launcher; its ranks have it in their environment.
  ///   - seconds: after which a node counts as one that cannot be reached.
  /// - Returns: nodes that could not.
  public static func remove(
    of secret: String, on hosts: [String], _ shell: RemoteShell, within seconds: Double,
    isCancelled: @escaping @Sendable () -> Bool
  ) -> [String] {
    let end = MonotonicClock.seconds() + seconds
    let silent = Mutex<[Int]>([])
    concurrently(hosts.count, most: 32) { index in
      let link = NodeLink(host: hosts[index], shell: shell) { isCancelled() || MonotonicClock.seconds() > end }
      if (try? link.lines(script(secret))) == nil { silent.withLock { $0.append(index) } }
    }
    return silent.withLock { $0 }.sorted().map { hosts[$0] }
  }

  /// Only what belongs to no living process goes: folders of Open MPI 4 are called after a job's family, or after
  /// mpirun's process; those of version 5 after the process that made them. Daemons have the number of their job, 65536
  /// times the family, in their command line.
  private static func script(_ secret: String) -> [UInt8] {
    NodeScript.bytes(
      """
      u=$(id -u)
      for e in $(grep -laF \(secret) /proc/[0-9]*/environ 2>/dev/null); do
        p=${e#/proc/}
        kill -9 "${p%/environ}" 2>/dev/null
      done
      dead() { case $1 in ''|*[!0-9]*) false ;; *) ! kill -0 "$1" 2>/dev/null ;; esac; }
      stale() {
        case $1 in ''|*[!0-9]*) return 1 ;; esac
        ! grep -qaF "$(($1 * 65536))" /proc/[0-9]*/cmdline 2>/dev/null
      }
      for d in "${TMPDIR:-/tmp}"/ompi.*."$u"/jf.*; do
        [ -O "$d" ] && stale "${d##*/jf.}" || continue
        rm -rf "$d"
        rm -f /dev/shm/*_segment.*."$u"."$(printf %x "${d##*/jf.}")"????.*
      done
      for d in "${TMPDIR:-/tmp}"/ompi.*."$u"/pid.*; do [ -O "$d" ] && dead "${d##*/pid.}" && rm -rf "$d"; done
      for d in "${TMPDIR:-/tmp}"/prte.*."$u"; do
        p=${d%.*}
        [ -O "$d" ] && dead "${p##*.}" && rm -rf "$d"
      done
      for d in "${TMPDIR:-/tmp}"/ompi.*."$u"; do [ -O "$d" ] && rmdir "$d" 2>/dev/null; done
      :
      """)
  }
}
