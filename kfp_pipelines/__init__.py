"""Kubeflow Pipelines: thin wrappers around the steps, and the pipelines that wire them.

`steps/` is generated, one function per Spec, and compared with it by `checks`; `training`, `scoring` and `logs` are
the pipelines; `compiled/` holds what Kubeflow is given. The only package that imports kfp.

Files with component functions carry no `from __future__ import annotations` and say `Optional`: kfp reads the
annotations themselves.
"""
