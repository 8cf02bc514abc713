"""The Feast repository: which features exist, of what, from where.

Nothing here has side effects: `feast apply` imports every module. Modules refer to each other as modules
(`entities.series`), since Feast would take an imported definition for a second one of the same name.
The steps apply these definitions by themselves, see `components/features/store.py`.
"""
