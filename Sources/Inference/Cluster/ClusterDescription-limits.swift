extension ClusterDescription {
  /// What the numbers of a file may be: far beyond any machine, so near that no sum over all nodes overflows and no
  /// prediction is infinite.
  enum Limits {
    static let sockets = 1...1024
    static let domains = 1...1024
    static let processors = 1...(1 << 16)
    static let memoryBytes = 1...(1 << 50)
    /// Bytes or multiply-adds a second.
    static let perSecond = 1e3...1e18
    static let latencySeconds = 1e-9...1e3
  }
}

extension StrictFile {
  /// What `verify` has found to be numbers, to be within what machines can have.
  func limit(_ speeds: [Calibration.ThreadSpeed], _ path: String) throws(CalibrationError) {
    for (index, speed) in speeds.enumerated() {
      try within(speed.threads, ClusterDescription.Limits.processors, "\(path)[\(index)].threads")
      try within(speed.best, ClusterDescription.Limits.perSecond, "\(path)[\(index)].best")
      try within(speed.median, ClusterDescription.Limits.perSecond, "\(path)[\(index)].median")
    }
  }

  func limit(_ products: [Calibration.ProductSpeed], _ path: String) throws(CalibrationError) {
    for (index, product) in products.enumerated() {
      let path = "\(path)[\(index)]"
      try within(product.threads, ClusterDescription.Limits.processors, path + ".threads")
      try within(
        product.streamedBytesPerSecond, ClusterDescription.Limits.perSecond, path + ".streamed_bytes_per_second")
      if let cached = product.cachedBytesPerSecond {
        try within(cached, ClusterDescription.Limits.perSecond, path + ".cached_bytes_per_second")
      }
      for (place, speed) in product.multiplyAdds.enumerated() {
        try within(
          speed.perSecond, ClusterDescription.Limits.perSecond, "\(path).multiply_adds[\(place)].per_second")
      }
    }
  }

  func limit(_ costs: [Calibration.ThreadCosts], _ path: String) throws(CalibrationError) {
    for (index, cost) in costs.enumerated() {
      let path = "\(path)[\(index)]"
      try within(cost.threads, ClusterDescription.Limits.processors, path + ".threads")
      try within(cost.secondsPerJob, ClusterDescription.Limits.latencySeconds, path + ".seconds_per_job")
      for (place, speed) in cost.attention.enumerated() {
        try within(
          speed.multiplyAddsPerSecond, ClusterDescription.Limits.perSecond,
          "\(path).attention[\(place)].multiply_adds_per_second")
      }
    }
  }
}
