"""What a million log lines say: templates, categories, clusters, links to traces, counts for the pipeline.

A line is cut into a *header* (timestamp, severity, service) and a *message*. The variable parts of a message are
masked, which gives its *shape*. On files, quoted texts and lists that vary are emptied, and shapes that differ in one
word only, or in words that are rare where the others are not, are merged into one *template*. A template with its
parameters put back is the message again, to the letter.

    traceo logs FILE          shapes, merged by what the whole file shows; in full, every line is read twice
    step logs.mine            shapes only, so that a line's template is a pure function of the line: the counts
                              of a window do not depend on how windows were cut or in which order they came

Lines are folded first (every digit a one, every long hex id ones) and equal ones looked at once, so that the patterns
of `masking` see a few thousand distinct lines of a file and not its millions. What a pattern found in one line of a key
is in the same place of all of them: parameters and fields are cut out of the bytes of a block at once. One line is one
row: the frames of a stack trace are rows that take over time, severity and service of the record they continue.

Memory does not grow with the file: at most MAX_SHAPES distinct shapes are held (`shapes` says which give way), what is
kept per line moves to a temporary file.

A template's id is a hash of its text: the same on every run, machine, time zone and locale.

Counts are lines; times are UTC; a trace's probability lies in [0, 1]; a change's `p_value` is small where the change is
surprising. Modules: `folding`, `masking`, `names`, `shaping`, `enclosed`, `variants`, `siblings`, `skeletons`,
`shapes`, `mining` (the miner) · `reading`, `wrappers`, `header`, `time_formats`, `stamps`, `layouts`, `tables`,
`source` (lines from files) · `slicing`, `details`, `categories`, `clustering`, `candidates`, `consistency`, `tracing`,
`lines`, `writing`, `fields`, `drawing` (the output) · `counting`, `change`, `surges`, `movement` (the pipeline) ·
`blocks`, `reduction`, `archive`, `states`, `kafka`, `pipeline` (the archive) · `sequences`.
"""
