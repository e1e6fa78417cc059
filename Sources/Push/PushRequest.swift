import Checkpoint
import Foundation
import Nodes

/// What is pushed, from where, to where, and how.
public struct PushRequest: Sendable {
  /// The prepared model here.
  public let source: URL
  public let manifest: PreparedManifest
  /// The file's text.
  let manifestBytes: [UInt8]
  public let plan: PushPlan
  /// The folder on the nodes, see ``PushDestination/path``.
  public let destination: String
  public let shell: RemoteShell
  /// Where `flotilla` may be on the nodes, the likeliest first.
  public let programs: [String]
  /// Whether one of ``programs`` must run there.
  public let needsProgram: Bool
  /// The version that `flotilla` must have there.
  public let version: String
  /// Nodes at a time.
  public let parallel: Int
  /// As rsync's `--bwlimit` takes it.
  public let rate: String?

  /// - Parameter manifest: of the source, with the bytes of its file.
  public init(
    source: URL, manifest: PreparedManifest, manifestBytes: [UInt8], plan: PushPlan, destination: String,
    shell: RemoteShell,
    programs: [String], needsProgram: Bool, version: String, parallel: Int, rate: String?
  ) {
    self.source = source
    self.manifest = manifest
    self.manifestBytes = manifestBytes
    self.plan = plan
    self.destination = destination
    self.shell = shell
    self.programs = programs
    self.needsProgram = needsProgram
    self.version = version
    self.parallel = parallel
    self.rate = rate
  }

  var sourcePath: String { source.path(percentEncoded: false) }

  /// The rsync commands that bring a node its bundles, in order: the manifest to the stage, small files, bundles.
  public func commands(_ host: String, _ bundles: [BundleName]) -> [[String]] {
    [
      command(host, [PreparedManifest.fileName], .content, toStage: true),
      command(host, manifest.files.map(\.name), .content),
    ] + (bundles.isEmpty ? [] : [command(host, bundles.map(\.fileName), .size)])
  }

  /// The same for people: the folder here once, and how many of its files.
  public func summaries(_ host: String, _ bundles: [BundleName]) -> [String] {
    commands(host, bundles).map { words in
      guard let end = words.firstIndex(of: "--"), case let files = words[(end + 1)...].dropLast(), files.count > 1
      else { return Self.line(words) }
      let noun = files.allSatisfy { $0.hasSuffix(".bundle") } ? "bundles" : "files"
      let folder = sourcePath.count > 1 && sourcePath.hasSuffix("/") ? String(sourcePath.dropLast()) : sourcePath
      return Self.line(Array(words[...end]) + [folder]) + "/{\(files.count) \(noun)} " + Self.line(words.suffix(1))
    }
  }

  func command(
    _ host: String, _ files: [String], _ comparison: Rsync.Comparison, toStage: Bool = false
  ) -> [String] {
    Rsync.command(
      files, from: sourcePath,
      to: shell.location(destination + (toStage ? "/\(NodeScripts.stage)" : ""), on: host), comparing: comparison,
      stage: toStage ? nil : NodeScripts.stage, shell: shell.isLocal(host) ? nil : shell.words, rate: rate)
  }
}

extension PushRequest {
  /// A command line to paste.
  public static func line(_ command: some Collection<String>) -> String { ShellText.line(Array(command)) }
}
