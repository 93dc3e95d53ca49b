"""Environment, checkpoints, launching. Imports nothing: collect_env must run where torch does not."""
