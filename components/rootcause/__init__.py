"""What caused an incident: every service ranked, with evidence, or a plain statement that nothing is abnormal.

A *case* (`case.Case`) is an incident's time and the metrics, spans, logs, alerts, calls and changes around it, whatever
of them there is. `diagnosis.diagnose` turns it into ranked causes:

1. every series gets a robust deviation (`deviation`): how far it left the median of the normal period in units of its
   spread, and how far it leaves it on an ordinary day by the same procedure; spans become series too (`tracing`);
2. deviations, log templates (`logsignals`, what their words say: `logkinds`), the time that requests spend beyond the
   usual (`budget`), operations that stop short (`paths`) and alerts (`alerts`) become *signals* (`signals`) on one
   scale, log2 of how many times the bar was passed: 0 is ordinary;
3. services are ranked (`ranking`) by what their callees do not account for, in size where sizes add up (`flow`) and
   else in strength, by internal and external signals agreeing, by being reachable from where the incident was noticed,
   by onset and by a change shortly before;
4. where what was noticed and what was found are no more surprising than in normal windows, it abstains (`abstention`);
5. each cause says what moved, by how much and when, and why the next hypotheses are less likely (`evidence`); the first
   three also face an intervention (`mechanism`: did the service's own mechanism change, would the symptom end with it)
   and, when asked for, a counterfactual (`counterfactual`, DoWhy) and the shares of
   what was noticed that arise in each service (`attribution`).

Past incidents whose cause is known (`past`, `traceo diagnose --past`) order the services instead of 3, when given.

What is usual is read from the calmer part of the time, not from a clean "before": the noticed time may be minutes off.
`kinds` holds classifiers of the kind of cause; the rule answers until one of them beats it by system.

A cause's `score` lies between 0 and 1, higher is likelier; it orders the causes and is not a probability. `level` is
"association"; "intervention" where a change of the same service precedes the onset and the series before and after it
differ by more than their noise (95 % bootstrap interval), or where callees and traffic do not explain the service and
the symptom would be halved with it; "counterfactual" where a fitted causal model agrees. None of it moves the ranking.

Same case, params and seed give the same bytes, except for one field: `elapsed_ms` is a clock reading (milliseconds in
`diagnose`, after the files were read, to a tenth). It is written because users ask how long it took; everything else in
the output is independent of it, and whoever compares runs leaves that one field out.
"""
