"""The availability ledger: half-open intervals by `at`, folded from samples. Pure but for `writer`, which stores it."""
