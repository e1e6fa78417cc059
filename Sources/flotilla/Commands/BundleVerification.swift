import ArgumentParser
import Checkpoint
import ExpertParallel
import Foundation
import Inference
import Kernels
import MessagePassing

/// What `inspect --verify` does: compares files of a prepared model with its manifest and tells of each that differs.
struct BundleVerification {
  let folder: URL
  /// Path of a manifest in place of the folder's own.
  let manifest: String?
  let json: Bool

  private static let mostExperts = Placement.mostExperts

  /// - Parameter placement: whose bundles must all be here; nil: those that are.
  func run(_ store: PreparedStore, for placement: Placement?) throws {
    let needed = placement.map { placement in
      Set((0..<placement.ranks).flatMap { placement.bundles(of: $0) }).sorted()
    }
    if let needed { try store.require(needed) } else if let text = store.missingText { note(text) }
    try compare(store.manifest, needed ?? store.present)
  }

  /// - Parameter bundles: as people list them.
  func run(bundles list: String) throws {
    guard let bundles = BundleName.bundles(list, below: Self.mostExperts) else {
      throw UsageError("--bundles: expected a list as dense,gates,mtp,0-31,40, found \(list)")
    }
    let manifest =
      try self.manifest.map { try PreparedManifest(file: URL(filePath: $0)) } ?? PreparedManifest(folder: folder)
    let strangers = Set(bundles).subtracting(manifest.bundles.map(\.name)).sorted()
    guard strangers.isEmpty else {
      throw UsageError(
        "--bundles: expected some of \(BundleName.list(manifest.bundles.map(\.name))), which the manifest has, "
          + "found \(BundleName.list(strangers))")
    }
    // Whoever reads JSON is told of each file.
    if !json { try require(bundles) }
    try compare(manifest, bundles)
  }

  private func require(_ bundles: [BundleName]) throws {
    let absent = bundles.filter {
      !FileManager.default.fileExists(atPath: folder.appending(path: $0.fileName).path(percentEncoded: false))
    }
    guard !absent.isEmpty else { return }
    throw UsageError(
      "\(folder.path(percentEncoded: false)): expected the bundles \(BundleName.list(bundles)), found all but "
        + BundleName.list(absent), hint: "Copy them here, or prepare them into this folder")
  }

  private func compare(_ manifest: PreparedManifest, _ bundles: [BundleName]) throws {
    let line = ProgressLine("Verifying", .bytes, isQuiet: json)
    let pool = ThreadPool(threads: max(1, ProcessInfo.processInfo.activeProcessorCount))
    TerminationSignal.install()
    var damaged = 0
    var nextTold = MonotonicClock.seconds()
    try PreparedVerification(manifest, of: folder).run(bundles, pool: pool) { done, total in
      line.update(done, of: total)
      if json, MonotonicClock.seconds() >= nextTold {
        nextTold = MonotonicClock.seconds() + 0.5
        try write(Event(event: "progress", done: done, total: total))
      }
      if Fleet.isInterrupted { throw Interrupted() }
    } report: { difference in
      damaged += 1
      line.finish()
      if json {
        try write(
          Event(
            event: "damage", file: difference.file, subject: difference.subject, expected: difference.expected,
            found: difference.found))
      } else {
        StandardError.write(Failure.message(difference))
      }
    }
    line.finish()
    if json { try write(Event(event: "verified", bundles: bundles.count, damaged: damaged)) }
    guard damaged == 0 else { throw ExitCode(ExitStatus.usage.rawValue) }
    guard !json else { return }
    note("\(bundles.count) bundle\(bundles.count == 1 ? "" : "s") and the small files are as the manifest says")
  }

  private struct Event: Encodable {
    let event: String
    var done: Int?
    var total: Int?
    var file: String?
    var subject: String?
    var expected: String?
    var found: String?
    var bundles: Int?
    var damaged: Int?
  }

  private func write(_ event: Event) throws {
    try StandardOutput.write(JSONLines.line(event))
    try StandardOutput.flush()
  }
}
