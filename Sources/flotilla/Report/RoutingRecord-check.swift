import Checkpoint
import ExpertParallel
import Inference
import Reporting

extension RoutingRecord {
  /// - Parameters:
  ///   - name: of the model.
  ///   - option: what named the record.
  /// - Throws: ``UsageError`` where it is of another model, or of no token.
  func check(is configuration: ModelConfiguration, named name: String, _ option: String) throws {
    let wanted = RoutingHeader(model: name, checkpoint: "", isPhantom: false, configuration)
    guard header.shape == wanted.shape else {
      throw UsageError(
        "\(option): expected the routing of \(wanted.text), found that of \(header.text)",
        hint: "the record must be of this model")
    }
    guard tokens > 0 else {
      throw UsageError("\(option): expected tokens, found none", hint: "a run writes them step by step, whole ones")
    }
  }

  /// For a page that shows it beside runs.
  ///
  /// - Returns: what a reader should know; nil where it is of their checkpoint.
  /// - Throws: ``UsageError`` where it is of another model than all of them.
  func note(beside runs: [RunRecord], _ option: String) throws -> String? {
    guard let first = runs.first else { return nil }
    let alike = runs.map(\.model).filter {
      ($0.expertsPerToken, $0.expertsPerLayer, $0.expertLayers)
        == (header.expertsPerToken, header.experts, header.layers.count)
    }
    guard let model = alike.first else {
      throw UsageError(
        "\(option): expected the routing of \(first.model.text), found that of \(header.text)",
        hint: "--routing without the records shows it by itself")
    }
    let known = alike.map(\.checkpoint).filter { !$0.isEmpty }
    guard !known.isEmpty, !header.checkpoint.isEmpty, !known.contains(header.checkpoint) else { return nil }
    return "The routing is of another checkpoint than the runs: of \(printable(header.model, limit: 100)) "
      + "(\(printable(header.checkpoint, limit: 12))), not of \(printable(model.name, limit: 100)) "
      + "(\(printable(model.checkpoint, limit: 12)))."
  }
}

extension RoutingHeader {
  /// What records of a model have in common.
  fileprivate var shape: [[Int]] { [[experts, groups, expertsPerToken], layers] }

  /// "r1 (8 of 256 experts in 8 groups, layers 3-60)"
  fileprivate var text: String {
    "\(printable(model, limit: 100)) (\(expertsPerToken) of \(experts) experts in \(groups) "
      + "group\(groups == 1 ? "" : "s"), layers \(printable(ExpertRanges.text(layers), limit: 200)))"
  }
}

extension RunRecord.Model {
  fileprivate var text: String {
    "\(printable(name, limit: 100)) (\(expertsPerToken) of \(expertsPerLayer) experts in \(expertLayers) layers)"
  }
}
