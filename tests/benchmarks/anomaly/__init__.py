"""`make bench-anomaly`: would an on-call engineer leave these detectors switched on?

sets.py reads the labelled series, case.py hands them over as the files a user would give; runs.py scores every case
with every detector (contenders.py: ours by name, and baselines.py), in two processes; curves.py, events.py and nab.py
are the measures, figures.py what they say of a detector over many series, report.py the page.
"""
