"""One component per step, one module per domain. Generated."""
