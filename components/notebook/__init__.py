"""Notebooks that are components: a py:percent file in `notebooks/` runs as the step `notebook.<name>`.

A notebook becomes a step by two of its cells, which are read without running anything:

* its first cell is Markdown: `# Title`, some words, then the lists **Inputs**, **Outputs** and, where the defaults do
  not do, **Resources**. An entry is ``- `name` (kind): what it is``, where the kind is lake, table, json or folder;
  `table of features` names a schema of `components.core.schema`, and `, optional` may follow.
* the cell tagged `parameters` assigns a literal to every port and every parameter. A port's value (a path) only serves
  in Jupyter. A parameter has a type (from its annotation, or else from its value) and a comment that describes it and
  may end in bounds: `days: int = 7  # days of history, [1, 30]`.

The step puts the real URIs and parameters behind that cell, runs the notebook with papermill in a fresh kernel of this
interpreter, writes its outputs as any step does, and keeps the executed notebook and its page in the output `report`,
after a failure too. A notebook writes its outputs with `components.notebook.artifacts`.

What two notebooks need belongs to a domain package. A notebook that has settled graduates: `graduation` turns it into
a step of a domain.
"""
