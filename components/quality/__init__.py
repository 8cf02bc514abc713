"""Quality: what may enter the lake, and whether the lake still looks as it did.

`quality.validate` measures every partition of the incoming zone (counts of what is wrong, one row of *facts*
per partition) and lets Great Expectations judge the facts against the suites in `expectations/`. A failed
expectation of severity `critical` sends the whole partition to the quarantine with its reason in
`<partition>.reason.json`; a `warning` is reported and the partition published. Columns that can be cast
without loss are cast and columns the schema does not know are dropped, both with a warning.

| fact | unit | severity |
|---|---|---|
| unreadable, missing_columns, wrong_types | count | critical |
| null_required, outside_window, duplicated_rows | rows | critical |
| ahead_s | seconds that the newest row is ahead of as_of | critical beyond the slack |
| metrics: infinite, impossible_low, impossible_high; spans: negative_durations | rows | critical |
| extra_columns, cast_columns, null_values, absent_series, flat_series; logs: duplicated_rows | count | warning |

`quality.drift` compares hourly means of the last days with those of the days before (Evidently): the normed
Wasserstein distance, in standard deviations of the reference; 0 = same distribution, higher = further apart.
A series has drifted when its distance exceeds the threshold and also what two halves of its own reference
differ by: two weeks of hourly means of pure noise lie 0.12 apart. The number is the share of series that drifted.
"""
