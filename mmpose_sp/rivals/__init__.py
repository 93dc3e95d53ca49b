"""Every head of mmpose beside ours, on one network, with the same data, budget and tuning: tools/benchmark_heads.py."""
