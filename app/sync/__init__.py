"""One run, told in phases: fetch with no transaction open, decide, write a page, prove that the run is still ours."""
