"""Speed and memory as ratios beside a bare minimum that is run in turn with ours. `make bench` writes the results."""
