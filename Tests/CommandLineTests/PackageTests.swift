import Foundation
import TestSupport
import Testing

/// `Scripts/package`: what is cheap of it. Building the binary takes minutes and is left to `Scripts/package --test`.
@Suite("The package")
struct PackageTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let script = root.appending(path: "Scripts/package").filePath
  /// The binary with Swift inside, where `Scripts/package` has made one.
  private static let binary = root.appending(path: ".build/package/release/flotilla").filePath
  private static let isBuilt = FileManager.default.isExecutableFile(atPath: binary)

  @Test("A binary that needs Swift on the node is refused, and the libraries are named")
  func refused() throws {
    try withTemporaryPath { folder in
      let (status, text) = try Shell.run([Self.script, "--binary", try Job.executable("flotilla"), folder])
      #expect(status == 1)
      #expect(text.contains("expected to need libc, libm and libmpi only, needs also: libswiftCore.so"), "\(text)")
      #expect(!FileManager.default.fileExists(atPath: folder))
    }
  }

  @Test(
    "The same binary gives the same archive, whole, and it runs from where it is unpacked",
    .enabled(if: isBuilt, "Scripts/package has not been run here"))
  func archive() throws {
    try withTemporaryPath { folder in
      for name in ["one", "two"] {
        let (status, text) = try Shell.run([Self.script, "--binary", Self.binary, "\(folder)/\(name)"])
        #expect(status == 0, "\(text)")
      }
      let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder + "/one").first)
      #expect(name.hasPrefix("flotilla-") && name.hasSuffix(".tar.gz"))
      let data = try ["one", "two"].map { try Data(contentsOf: URL(filePath: "\(folder)/\($0)/\(name)")) }
      #expect(data[0] == data[1])

      let unpack = try Shell.run(["tar", "-xzf", "\(folder)/one/\(name)", "-C", folder, "--strip-components=1"])
      #expect(unpack.status == 0, "\(unpack.text)")
      let sums = try Shell.run(["sh", "-c", "cd '\(folder)' && sha256sum --check --quiet SHA256SUMS"])
      #expect(sums.status == 0, "\(sums.text)")
      for file in ["INSTALL.md", "README.md", "Cluster/README.md", "Cluster/slurm.sh", "Cluster/flotilla.mca"] {
        #expect(FileManager.default.fileExists(atPath: "\(folder)/\(file)"), "\(file)")
      }
      let run = try Shell.run(["\(folder)/flotilla", "generate", "-p", "What is 478 + 256?", "--temp", "0", "-q"])
      #expect(run.status == 0 && run.text.hasSuffix("\n734\n"), "\(run.text)")
    }
  }
}
