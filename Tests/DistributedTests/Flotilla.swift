import ExpertParallel
import Foundation
import TestSupport
import Testing

/// A run of `flotilla`; `ranks` nil: without mpirun.
func flotilla(
  _ arguments: [String], ranks: Int?, more: [String] = [], limit: Double = 180,
  meanwhile: (Job.Running) -> Bool = { _ in true }
) throws -> Job {
  try Job("flotilla", arguments, ranks: ranks, more: more, limit: limit, meanwhile: meanwhile)
}

/// A folder of its own for the time of `body`.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "flotilla-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

/// A model that is busy for seconds, in a folder of its own for the time of `body`.
func withBusyModel<Result>(_ body: (_ model: String, _ folder: URL) throws -> Result) throws -> Result {
  try withTemporaryFolder { folder in
    let model = folder.appending(path: "mini").filePath
    let made = try flotilla(["synthesize", model, "--like", "mini", "--seed", "1", "--quiet"], ranks: nil)
    #expect(made.status == 0, "\(made.errors)")
    return try body(model, folder)
  }
}

extension URL {
  var filePath: String { path(percentEncoded: false) }
}

/// Experts drawn at random, roles on the last ranks.
func scatteredPlacement(experts: Int, ranks: Int, in folder: URL) throws -> String {
  var random = SplitMix64(UInt64(ranks))
  let placement = try Placement(
    owners: (0..<experts).map { _ in Int.random(in: 0..<ranks, using: &random) }, ranks: ranks,
    coordinator: ranks - 1, router: ranks / 2)
  let file = folder.appending(path: "placement.json")
  try placement.json.write(to: file, atomically: true, encoding: .utf8)
  return file.filePath
}
