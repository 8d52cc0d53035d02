"""What tests share: throw-away servers, fixtures, builders. Only tests and benchmarks import it."""
