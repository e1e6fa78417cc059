import Checkpoint
import Foundation
import Testing

@Suite struct MemoryTests {
  /// A made-up file system.
  private func available(_ files: [String: String]) throws -> Int? {
    let folder = try TemporaryFolder()
    for (path, text) in files {
      let url = folder[path]
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
    return MachineMemory.available(root: folder.url.path)
  }

  private let info = ["proc/meminfo": "MemTotal:  64000 kB\nMemFree: 1 kB\nMemAvailable:   32000 kB\n"]

  @Test func thisProcessAndMachine() throws {
    #expect(ProcessMemory.resident() > 1 << 20)
    #expect(try #require(MachineMemory.available()) > 0)
  }

  @Test func whatCameFromStorage() throws {
    let folder = try TemporaryFolder()
    #expect(ProcessStorage.bytesRead(root: folder.url.path) == nil)
    let file = folder["proc/self/io"]
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data("rchar: 9\nread_bytes: 4096\nwrite_bytes: 7\n".utf8).write(to: file)
    #expect(ProcessStorage.bytesRead(root: folder.url.path) == 4096)
  }

  @Test func withoutGroups() throws {
    #expect(try available(info) == 32_000 * 1024)
    #expect(try available([:]) == nil)
  }

  @Test func theTightestGroupCounts() throws {
    let files = info.merging([
      "proc/self/cgroup": "0::/job/step\n",
      "sys/fs/cgroup/job/step/memory.max": "max\n",
      "sys/fs/cgroup/job/step/memory.current": "5\n",
      "sys/fs/cgroup/job/memory.max": "1000000\n",
      "sys/fs/cgroup/job/memory.current": "700000\n",
      "sys/fs/cgroup/job/memory.stat": "anon 1\ninactive_file 200000\n",
    ]) { $1 }
    #expect(try available(files) == 500_000)
  }

  @Test func firstVersionOfGroups() throws {
    let files = info.merging([
      "proc/self/cgroup": "4:cpu:/a\n3:memory:/a\n",
      "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "3000\n",
      "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "5000\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "70000000\n",
    ]) { $1 }
    #expect(try available(files) == 0)
  }
}
