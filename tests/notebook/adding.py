"""A small notebook for tests, and its variants."""

from __future__ import annotations

from pathlib import Path

TEXT = """\
# %% [markdown]
# # Adding up
#
# **Outputs**
# - `total` (json): the sum

# %% tags=["parameters"]
total: str = "total.json"
first: int = 2  # the first number, [0, 10]
words: str = "plain"  # any words

# %% [markdown]
# ## The sum

# %%
from components.notebook.artifacts import write_json

result = first + 3
print(words)

# %%
write_json(total, {"sum": result, "words": words})
"""


def write(folder: Path, text: str = TEXT, name: str = "adding") -> Path:
    """The file of a notebook in a folder that is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(text)
    return path
