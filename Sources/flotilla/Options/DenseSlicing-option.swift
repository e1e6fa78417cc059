import ArgumentParser
import Inference

extension DenseSlicing: AnyCaseArgument {}
