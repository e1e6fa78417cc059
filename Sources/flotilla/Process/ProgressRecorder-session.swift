import Inference
import Kernels
import Reporting

extension ProgressRecorder {
  /// - Parameter file: nil: nobody wants to know.
  convenience init?(_ file: RecordFile?, _ session: RunSession) {
    guard let file else { return nil }
    self.init(
      file, version: Flotilla.version, model: session.options.model.lastPathComponent,
      isPhantom: session.checkpoint.isPhantom, now: MonotonicClock.seconds())
  }

  func report(_ engine: Engine) {
    report(engine.statistics, promptTotal: engine.promptTokens, now: MonotonicClock.seconds())
  }
}
