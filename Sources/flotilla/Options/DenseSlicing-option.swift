import ArgumentParser
import Inference

extension DenseSlicing: ExpressibleByArgument {}
