import Foundation
import Nodes
import Testing

/// `Cluster/flotilla.mca`, for those who start with plain mpirun.
@Suite("The parameter file of Open MPI")
struct ParameterFileTests {
  private static let lines: [String] = {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Cluster/flotilla.mca")
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }()

  /// "name = value" of lines that begin with `mark` and then a name.
  private func parameters(_ mark: String = "") -> [String: String] {
    var found: [String: String] = [:]
    for line in Self.lines where line.hasPrefix(mark) {
      let words = line.dropFirst(mark.count).split(separator: " ")
      guard words.count == 3, words[1] == "=", !words[0].hasPrefix("#") else { continue }
      found[String(words[0])] = String(words[2])
    }
    return found
  }

  /// What `flotilla launch` gives to both versions; options as the parameters that they stand for.
  private func launched(isCrowded: Bool, network: String?) -> [String: String] {
    var plan = LaunchPlan(place: .hosts([.init(name: "a1", slots: 2), .init(name: "a2", slots: 2)]))
    plan.processors = isCrowded ? 2 : 8
    plan.network = network
    var found: [String: String] = [:]
    for (runtime, middle) in [(MPIRuntime.version4, "base"), (.version5, "default")] {
      let words = MPIRunLine(plan, runtime: runtime, command: ["flotilla"]).words
      for (index, word) in words.enumerated() {
        switch word {
        case "--mca", "--prtemca": found[words[index + 1]] = words[index + 2]
        case "--bind-to": found["hwloc_\(middle)_binding_policy"] = words[index + 1]
        // Without ":OVERSUBSCRIBE".
        case "--map-by":
          found["rmaps_\(middle)_mapping_policy"] = words[index + 1].split(separator: ":").first.map(String.init)
        default: break
        }
      }
    }
    return found
  }

  @Test("It sets what launch sets on every cluster, for both versions")
  func always() {
    #expect(parameters() == launched(isCrowded: false, network: nil))
    #expect(parameters().count == 11)
  }

  @Test("What depends on the cluster stands there as a comment")
  func sometimes() {
    let all = parameters().merging(parameters("#")) { $1 }
    #expect(all == launched(isCrowded: true, network: "10.0.0.0/24"))
  }

  @Test("Every parameter has a comment right above it")
  func comments() {
    for (index, line) in Self.lines.enumerated() where line.contains(" = ") {
      #expect(index > 0 && Self.lines[index - 1].hasPrefix("# "), "\(line)")
    }
  }
}
