"""The model server: registered models behind the Open Inference Protocol v2 (KServe).

`python -m components.serving.server` serves `traceo-anomaly` and `traceo-forecasting` as the registry's aliases
say: `champion` answers, `challenger` answers a share of the requests (`TRACEO_CHALLENGER_WEIGHT`), chosen by a hash
of the request id so that a repeated request meets the same version. Every answer names its `model_version`. A moved
alias is picked up within seconds (`TRACEO_MODEL_POLL_S`): the new version is loaded beside the old one and then takes
its place, so that no request fails. While the registry is away, what is loaded goes on serving.

Routes: `/v2/...` (Open Inference Protocol), `/status` (what is loaded, why something is not), `/metrics` (Prometheus).
"""
