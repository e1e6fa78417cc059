import Foundation
import Inference
import Launch
import Nodes
import Reporting

/// A job that is started again when a rank or a node was lost, with what is left.
struct RestartableJob {
  /// How often, at most.
  let restarts: Int
  let nodes: LaunchedNodes
  let journal: KeptJournal?
  /// How a command is started at a place.
  let settings: (LaunchPlan.Place, [String]) -> LaunchedJob.Settings

  /// - Parameters:
  ///   - place: of all ranks.
  ///   - command: as it was given.
  func run(_ place: LaunchPlan.Place, _ command: [String]) throws -> JobEnding {
    let continuity = JobContinuity(journal: journal)
    var isKept = false
    defer { if !isKept { _ = journal?.end(isLost: false) } }
    var next = (place: place, command: journal?.command ?? command)
    var number = 0
    while true {
      var settings = settings(next.place, next.command)
      settings.canRestart = number < restarts
      let job = try LaunchedJob(settings, continuity)
      let ending = try job.run()
      if ending.leavesRemains { nodes.tidy(job.secret) }
      guard ending.cause == .lost, let journal else { return ending }
      number += 1
      if number <= restarts, let rest = try rest(of: place, after: ending, number, journal) {
        next = rest
        continue
      }
      if let path = journal.end(isLost: true) {
        isKept = true
        note("what was generated is in \(path): launch … -- generate --resume \(path) goes on")
      }
      return ending
    }
  }

  /// Says what was lost and how it goes on.
  ///
  /// - Returns: nil where no node is left.
  private func rest(
    of place: LaunchPlan.Place, after ending: JobEnding, _ number: Int, _ journal: KeptJournal
  ) throws -> (place: LaunchPlan.Place, command: [String])? {
    guard let (left, missing) = try nodes.left() else {
      warn("no node answers: there is nothing to start the job on again")
      return nil
    }
    let dropsRoles = left != place
    let (command, tokens) = try journal.afterLoss(dropsRoles: dropsRoles)
    let reason = ending.reason.split(separator: "\n").first.map { String($0.prefix(200)) } ?? "a rank was lost"
    let out =
      missing.isEmpty ? "no node is left out" : "left out, without an answer: \(missing.joined(separator: ", "))"
    StandardError.write(
      "\(timeOfDay()) lost: \(printable(reason)); \(printable(out)); restart \(number) of \(restarts) goes on from "
        + "token \(tokens)\n")
    return (left, command)
  }
}
