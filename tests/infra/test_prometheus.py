"""infra/prometheus: promtool's own checks and unit tests, and that no alert goes without test, runbook or metric."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.settings import REPOSITORY

from .promql import PROMETHEUS, exposed, names, recorded, rules

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian package prometheus)")
ALERTS = [rule for rule in rules() if "alert" in rule]
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))


def run(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@promtool
def test_promtool_accepts_the_configuration() -> None:
    assert "SUCCESS: 2 rule files found" in run("check", "config", PROMETHEUS / "prometheus.yml")


@promtool
def test_promtool_accepts_the_configuration_for_kubernetes(tmp_path: Path) -> None:
    """All but its service discovery: Debian builds Prometheus without the one of Kubernetes."""
    config = yaml.safe_load((PROMETHEUS / "kubernetes.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    config["rule_files"] = [str(PROMETHEUS / "rules/*.yml")]
    (tmp_path / "kubernetes.yml").write_text(yaml.safe_dump(config))
    run("check", "config", tmp_path / "kubernetes.yml")


@promtool
@pytest.mark.parametrize("file", TESTS, ids=[file.stem for file in TESTS])
def test_promtools_unit_tests_pass(file: Path) -> None:
    run("test", "rules", file)


def checks_in(files: Sequence[Path]) -> list[dict[str, Any]]:
    return [
        check
        for file in files
        for test in yaml.safe_load(file.read_text())["tests"]
        for check in test.get("alert_rule_test", [])
    ]


def untested(alerts: Sequence[dict[str, Any]], checks: Sequence[dict[str, Any]]) -> set[str]:
    """Alerts that no unit test sees firing, or none sees silent."""
    fired = {check["alertname"] for check in checks if check["exp_alerts"]}
    silent = {check["alertname"] for check in checks if not check["exp_alerts"]}
    return {alert["alert"] for alert in alerts} - (fired & silent)


def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    assert len(ALERTS) >= 12
    assert untested(ALERTS, checks_in(TESTS)) == set()


def test_an_alert_without_a_test_is_named() -> None:
    """Mutation: a new alert, and an old one whose test of silence is gone."""
    assert untested([*ALERTS, {"alert": "TraceoNew"}], checks_in(TESTS)) == {"TraceoNew"}
    noisy = [check for check in checks_in(TESTS) if check["alertname"] != "TraceoDrift" or check["exp_alerts"]]
    assert untested(ALERTS, noisy) == {"TraceoDrift"}


@pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])
def test_an_alert_says_how_bad_it_is_and_where_to_look(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"]
    page = REPOSITORY / alert["annotations"]["runbook"]
    assert page.parent == REPOSITORY / "infra/runbooks"
    assert page.is_file(), f"{alert['alert']}: no page {page.name} in infra/runbooks"
    listed = (page.parent / "README.md").read_text()
    assert f"({page.name})" in listed, f"{page.name} is not listed in infra/runbooks/README.md"


def unknown(queries: dict[str, str], known: set[str]) -> dict[str, set[str]]:
    """By query name, the metrics that nothing exposes or records."""
    return {name: missing for name, query in queries.items() if (missing := names(query) - known)}


def test_rules_name_metrics_that_there_are(tmp_path: Path, mlflow_home: Path) -> None:
    queries = {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
    known = exposed(tmp_path) | recorded()
    assert unknown(queries, known) == {}
    queries["TraceoDrift"] = queries["TraceoDrift"].replace("drift_share", "drift_shares")
    assert unknown(queries, known) == {"TraceoDrift": {"traceo_drift_shares_ratio"}}, "mutation: a misspelled metric"


def test_the_jobs_are_those_that_the_rules_know() -> None:
    jobs = {job["job_name"] for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]}
    (kubernetes,) = yaml.safe_load((PROMETHEUS / "kubernetes.yml").read_text())["scrape_configs"]
    parts = next(r["regex"] for r in kubernetes["relabel_configs"] if "console" in r.get("regex", ""))
    assert jobs == {f"traceo-{part}" for part in parts.split("|")}
    (down,) = [alert for alert in ALERTS if alert["alert"] == "TraceoServiceDown"]
    (pattern,) = re.findall(r'job=~"([^"]+)"', down["expr"])
    assert all(re.fullmatch(pattern, job) for job in jobs)
