"""What past incidents of the same system teach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.cli.__main__ import main
from components.core.errors import InputError
from components.rootcause.case import Case, Incident
from components.rootcause.diagnosis import diagnose
from components.rootcause.past import Past, described, learned
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import CALLS, NOTICED, frame, write_case

PARAMS = ScorerParams()
#: Raised in every incident whatever its cause, against web: by the rule alone it looks guilty.
ALWAYS = [("web", "metric", f"memory_{n}", "up", None, None) for n in range(4)]


def _case(culprit: str, cause: str | None = None) -> Case:
    alerts = [*ALWAYS, (culprit, "metric", "cpu_usage", "up", None, None), ("web", "log", "7", "", None, None)]
    return Case(Incident(NOTICED, cause=cause), alerts=frame("alerts", alerts), calls=frame("calls", list(CALLS)))


def _past(number: int = 12) -> Past:
    culprits = [("db", "shop")[n % 2] for n in range(number)]
    cases = [(f"past-{n}", _case(culprit), culprit) for n, culprit in enumerate(culprits)]
    return learned([described(name, case, diagnose(case, PARAMS).standings, cause) for name, case, cause in cases])


def _elsewhere() -> Past:
    """Incidents of services that no other case has."""
    alerts = frame("alerts", [(name, "log", "9", "", None, None) for name in ("x", "y")])
    case = Case(Incident(NOTICED, cause="x"), alerts=alerts)
    return learned([described(f"past-{n}", case, diagnose(case, PARAMS).standings, "x") for n in range(12)])


@pytest.mark.parametrize("culprit", ["db", "shop"])
def test_alerts_that_always_stand_are_learned_to_mean_nothing(culprit):
    assert diagnose(_case(culprit), PARAMS).causes[0]["service"] == "web"
    found = diagnose(_case(culprit), PARAMS, _past())
    assert found.causes[0]["service"] == culprit
    assert 0.5 < found.causes[0]["score"] <= 1
    assert sum(cause["score"] for cause in found.causes) == pytest.approx(1.0, abs=1e-4)


def test_the_evidence_names_past_incidents_that_were_alike():
    (item,) = (i for i in diagnose(_case("db"), PARAMS, _past()).causes[0]["evidence"] if i["type"] == "past")
    assert item["text"].startswith(
        "db was the cause of 6 of 12 past incidents; most alike: past-0 (db, 100% in common)"
    )


def test_a_past_of_other_services_is_called_so():
    (item,) = (i for i in diagnose(_case("db"), PARAMS, _elsewhere()).causes[0]["evidence"] if i["type"] == "past")
    assert item["text"].endswith("was the cause of 0 of 12 past incidents; none showed anything that this one does")


def test_a_case_without_services_abstains_whatever_the_past():
    nobody = Case(Incident(NOTICED), alerts=frame("alerts", []))
    assert diagnose(nobody, PARAMS, _past()).abstained


def test_the_same_past_gives_the_same_answer():
    answers = [json.dumps(diagnose(_case("db"), PARAMS, _past()).causes) for _ in range(2)]
    assert answers[0] == answers[1]


def test_too_few_known_causes_are_refused():
    with pytest.raises(InputError, match="3 past incidents have a known cause among their services; give 10"):
        _past(3)


def _write(folder: Path, number: int) -> Path:
    for n in range(number):
        culprit = ("db", "shop")[n % 2]
        write_case(folder / f"past-{n:02}", _case(culprit), cause=culprit)
    return folder


def test_the_command_ranks_by_the_past(tmp_path: Path):
    past, now = _write(tmp_path / "past", 12), write_case(tmp_path / "now", _case("db"))
    assert main(["diagnose", str(now), "--past", str(past), "--output", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["causes"][0]["service"] == "db"


def test_a_case_teaches_nothing_about_itself(tmp_path: Path):
    past, out = _write(tmp_path / "past", 12), tmp_path / "out.json"
    assert main(["diagnose", str(past / "past-00"), "--past", str(past), "--output", str(out)]) == 0
    told = [item["text"] for item in json.loads(out.read_text())["causes"][0]["evidence"] if item["type"] == "past"]
    assert "of 11 past incidents" in told[0]
    assert "past-00" not in told[0]


@pytest.mark.slow
def test_what_was_learned_reaches_every_process(tmp_path: Path, capsys):
    past = _write(tmp_path / "past", 12)
    assert main(["diagnose", str(past), "--past", str(past), "--output", str(tmp_path / "all")]) == 0
    assert "12 of 12 done" in capsys.readouterr().out


def _broken(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "incident.json").write_text('{"time": ')
    return folder


def test_a_past_case_that_cannot_be_read_is_told_and_left_out(tmp_path: Path, capsys):
    past, now, out = _write(tmp_path / "past", 12), write_case(tmp_path / "now", _case("db")), tmp_path / "out.json"
    _broken(past / "torn")
    assert main(["diagnose", str(now), "--past", str(past), "--output", str(out)]) == 0
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: left out of --past: {past / 'torn' / 'incident.json'}: not JSON")
    told = [item["text"] for item in json.loads(out.read_text())["causes"][0]["evidence"] if item["type"] == "past"]
    assert "of 12 past incidents" in told[0]


def test_a_past_of_which_nothing_can_be_read_is_refused(tmp_path: Path, capsys):
    now = write_case(tmp_path / "now", _case("db"))
    past = _broken(tmp_path / "past" / "torn").parent
    assert main(["diagnose", str(now), "--past", str(past), "--output", str(tmp_path / "out.json")]) == 2
    assert "(1 could not be read)" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(("number", "told"), [(3, "3 past incidents have a known cause"), (0, "no such directory")])
def test_a_past_that_teaches_nothing_is_refused(number, told, tmp_path: Path, capsys):
    past, now = _write(tmp_path / "past", number), write_case(tmp_path / "now", _case("db"))
    assert main(["diagnose", str(now), "--past", str(past), "--output", str(tmp_path / "out.json")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
