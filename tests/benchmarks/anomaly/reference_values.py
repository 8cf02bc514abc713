"""Writes reference.json: VUS-PR as the two published packages compute it, for test_curves.py.

They pin numpy<2, so this runs in an environment of its own, outside the repository:

    python3.11 -m venv side && side/bin/pip install 'numpy<2' scipy scikit-learn pandas tqdm
    side/bin/pip install --no-deps tsb-ad==1.5 vus==0.0.6
    side/bin/python tests/benchmarks/anomaly/reference_values.py
"""

import importlib.util
import json
import pathlib

import numpy as np

_CASES = (
    # name, rows, labelled stretches (first row, rows), digits that scores are rounded to, buffer
    ("one stretch in the middle", 300, [(120, 20)], 3, 100),
    ("two whose tolerance merges", 300, [(100, 5), (140, 3)], 3, 100),
    ("two that are adjacent at one width", 300, [(100, 5), (126, 3)], 3, 20),
    ("single rows at both ends", 260, [(0, 1), (259, 1)], 3, 100),
    ("many ties", 300, [(30, 10), (200, 40)], 1, 100),
    ("only ties", 280, [(60, 9)], 0, 50),
    ("a long stretch and a point", 400, [(50, 150), (390, 1)], 3, 100),
    ("no tolerance", 300, [(20, 4), (90, 8)], 3, 0),
)


def main() -> None:
    from TSB_AD.evaluation.basic_metrics import basic_metricor

    tolerant = _vus_metrics().metricor()
    cases = []
    for seed, (name, rows, stretches, digits, buffer) in enumerate(_CASES):
        labels = np.zeros(rows, dtype=int)
        for first, length in stretches:
            labels[first : first + length] = 1
        random = np.random.RandomState(seed)
        scores = np.round(random.uniform(size=rows) + 0.6 * labels * random.uniform(size=rows), digits)
        by_tsb_ad = basic_metricor().RangeAUC_volume_opt(labels, scores, buffer)[-1]
        by_vus = tolerant.RangeAUC_volume_opt(labels, scores, buffer)[-1]
        cases.append(
            {"name": name, "stretches": stretches, "buffer": buffer, "scores": scores.tolist()}
            | {"tsb_ad": float(by_tsb_ad), "vus": float(by_vus)}
        )
    text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
    pathlib.Path(__file__).with_name("reference.json").write_text(text)


def _vus_metrics():  # type: ignore[no-untyped-def]
    """The package's metrics module by its file: importing the package itself wants TensorFlow."""
    package = importlib.util.find_spec("vus")
    file = pathlib.Path(package.submodule_search_locations[0]) / "utils" / "metrics.py"
    spec = importlib.util.spec_from_file_location("vus_metrics", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
