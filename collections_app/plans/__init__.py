"""Plans: a frozen list of things that people read before it runs. See docs/plans.md."""
