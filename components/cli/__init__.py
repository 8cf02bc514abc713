"""The `traceo` command: the four questions on plain files, the local stack, any step by name.

Each subcommand is one module with `add(commands)` (its arguments) and `main(arguments)` (its work); a
domain package is imported only when its subcommand runs.
"""
