"""Cornerstone and AVImark: systems on a clinic's own server, read through files it leaves or a bridge's list.

Neither has a public interface of its own for appointments. The two adapters differ in their words alone; what is read
comes through one seam (`feed.Feed`) with two ends, `files` and `bridge`.
"""
