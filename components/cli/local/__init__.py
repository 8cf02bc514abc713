"""The embedded stack of `make run`: which processes, in which order, and how they are watched and stopped.

`layout` says what belongs to a stack, `processes` starts and stops it through supervisord, `airflow` speaks
to Airflow's REST API, `bootstrap` runs every DAG once, `summary` says what was found.
"""
