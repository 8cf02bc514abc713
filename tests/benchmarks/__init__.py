"""Benchmarks: each prints one table with its definition, data, baselines and confidence, and writes RESULTS.md."""
