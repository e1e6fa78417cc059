import Checkpoint
import DeepSeek
import Inference
import Reporting

/// What `inspect` says about how a GGUF model would run, also before all of its parts are here.
struct RunFacts: Encodable {
  /// Whether it runs with the options that were given, as far as the files that are here tell; nil: they tell nothing.
  let runs: Bool?
  /// llama.cpp's name for the mix of types, such as Q4_K_M; nil where the file does not say.
  let quantization: String?
  /// Run formats of the weights; for tensors in missing files, as in the layers that are here.
  let format: String
  /// What does not run as it lies, one line for each way.
  let conversions: [String]
  /// Types that no run format holds.
  let inexactTypes: [String]
  let missingFiles: [String]
  /// Needed tensors in all, and how many of them are in missing files, their types unknown.
  let tensors: Int
  let unknownTensors: Int
  /// Why it does not run.
  let problem: String?

  /// Not shown: for the cache and for placements.
  let formats: WeightFormats
  let error: (any Error)?
  private let needsConsent: Bool

  enum CodingKeys: String, CodingKey {
    case runs, quantization, format, conversions, inexactTypes, missingFiles, tensors, unknownTensors, problem
  }

  /// Nil where the checkpoint is no GGUF model.
  init?(
    _ checkpoint: Checkpoint, quant: String, requantizes: Bool, tokenizerError: (any Error)?
  ) throws {
    guard checkpoint.metadata != nil, checkpoint.prepared == nil else { return nil }
    formats = try WeightFormats(quant: quant, requantizes: true, for: checkpoint)
    let type = checkpoint.quantization
    var error: (any Error)? = requantizes ? nil : RequestError(requantizing: formats.inexact, checkpoint)
    var needsConsent = error != nil
    if let tokenizerError { (error, needsConsent) = (tokenizerError, false) }
    if let type, !type.mayRun, checkpoint.absentTensors > 0 {
      needsConsent = false
      error = RequestError(
        "\(checkpoint.location.lastPathComponent): quantisation: expected one whose types run, found \(type.name). "
          + "Hint: fetch another, such as Q4_K_M, Q6_K or Q8_0")
    }
    self.error = error
    self.needsConsent = needsConsent
    let absent = checkpoint.absentTensors
    let tellsNothing = absent > 0 && absent == checkpoint.neededTensors && type?.usualType == nil
    runs = error != nil ? false : tellsNothing ? nil : true
    problem = error.map { "\($0)" }
    quantization = type?.name
    format = formats.description
    conversions = WeightConversions(checkpoint, formats).texts
    inexactTypes = formats.inexact.map(\.stored.rawValue)
    missingFiles = checkpoint.missingFiles
    (tensors, unknownTensors) = (checkpoint.neededTensors, checkpoint.absentTensors)
  }

  /// Lines of a summary, name and text.
  var lines: [(String, String)] {
    var lines: [(String, String)] = []
    if let quantization { lines.append(("quantised", quantization)) }
    let isKnown = runs == true || needsConsent
    lines.append(("runs", isKnown ? "\(verdict); weights in \(format)" : verdict))
    if isKnown { lines += conversions.map { ("", $0) } }
    guard !missingFiles.isEmpty else { return lines }
    let shown = missingFiles.prefix(3).joined(separator: ", ") + (missingFiles.count > 3 ? ", …" : "")
    let count = missingFiles.count
    return lines + [
      ("missing", "\(count) file\(count == 1 ? "" : "s"): \(shown)"),
      (
        "unknown",
        "types of \(Format.exact(unknownTensors)) of \(Format.exact(tensors)) tensors, until these files are here; "
          + (runs == nil ? "no file says them" : "assumed from what is here")
      ),
    ]
  }

  private var verdict: String {
    switch runs {
    case nil: "unknown until \(missingFiles.first ?? "part 2") is here: this part has no tensors and no known file type"
    case false?: needsConsent ? "only with --requantize or another --quant" : "no"
    case true?: unknownTensors == 0 ? "yes" : "yes, as far as the files that are here tell"
    }
  }
}

/// Whether a checkpoint's tokenizer can be used. One that is not known would end a run when everything is loaded.
enum TokenizerState: String, Encodable {
  case usable
  case none
  case unusable = "not usable"

  /// Says that text cannot be run; nil where it can, or where an error says more.
  ///
  /// - Parameter name: of the model, for people.
  func warning(_ name: String) -> String? {
    guard self == .none else { return nil }
    return "no tokenizer.json in \(name): generate, chat and perplexity need one; trace takes token ids"
  }

  /// With what is wrong with it.
  static func of(_ checkpoint: Checkpoint) -> (state: TokenizerState, error: (any Error)?) {
    do {
      return (try checkpoint.tokenizer() == nil ? .none : .usable, nil)
    } catch {
      return (.unusable, error)
    }
  }
}
