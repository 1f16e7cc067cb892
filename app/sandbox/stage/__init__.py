"""What simulated vendors share: an invented clinic, its moving day, orders to it, faults. None of it knows a vendor.

A vendor's own folder beside this one turns the clinic into that vendor's records and guards its doors the vendor's way.
"""
