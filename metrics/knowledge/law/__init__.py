"""Texts of law: cited provisions, provisions cut out of texts, quoted words. Imports no other part of `knowledge`."""
