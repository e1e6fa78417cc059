import Push
import Testing

@Suite("Words of rsync and of nodes")
struct RsyncTests {
  @Test("What rsync says")
  func rsync() throws {
    #expect(try #require(Rsync.version("rsync  version 3.2.7  protocol version 31")) == (3, 2))
    #expect(try #require(Rsync.version("rsync  version v3.2.3  protocol version 31")) == (3, 2))
    #expect(Rsync.version("openrsync: protocol version 29") == nil)
    #expect(Rsync.progress("    300003000 100%   71.55MB/s    0:00:03 (xfr#2, to-chk=0/2)") == 300_003_000)
    #expect(Rsync.progress("  1,238,099  42%  146.38kB/s  0:00:08") == 1_238_099)
    #expect(Rsync.progress("sending incremental file list") == nil)
  }

  @Test("What a node says of itself")
  func survey() throws {
    let survey = Survey([
      "rsync rsync  version 3.2.7  protocol version 31", "sha256sum", "occupied", "manifest ab",
      "file 1000 expert-000.bundle",
      "file 7 dense.bundle", "part 600 expert-001.bundle", "part 900 expert-001.bundle.a1B2c3",
      "disk //server/my share 1000 400 600 40% /mnt/my disk", "flotilla 0.1.0 /opt/my tools/flotilla",
      "unwritable /data",
    ])
    #expect(survey.parts == ["expert-001.bundle": 900] && survey.files["dense.bundle"] == 7)
    #expect(survey.programs.first?.path == "/opt/my tools/flotilla" && survey.unwritable == "/data")
    #expect(survey.free == 600 << 10)
    #expect(survey.hasHashes && survey.isOccupied && !survey.isSource && survey.manifest == "ab")
    #expect(Survey(["disk /dev/sda1 1000 400 600 40% /"]).free == 600 << 10)
    #expect(Survey(["rsync "]).rsync == nil && Survey(["disk "]).free == nil)
  }
}
