"""Traceo's packages: one per domain, each a container image, all resting on `components.core` alone."""
