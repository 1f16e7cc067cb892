"""A clinic that could be anybody's: people, kinds of visit, a day and how it goes. No vendor's words in here."""
