"""Work per CPU-second, peers interleaved in the same run; `python -m loadtests.bench` prints one table."""
