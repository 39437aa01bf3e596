"""What the benchmarks share: labelled data, real chains, tables, timing."""
