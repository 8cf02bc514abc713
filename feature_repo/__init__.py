"""The Feast repository: which features exist, of what, from where.

Nothing here has side effects: Feast's command line imports it. It reads `services.py` alone, which names every
definition (see `.feastignore`): were each module read, those imported twice would count as two of one name.
The steps apply the definitions by themselves, see `components/features/store.py`.
"""
