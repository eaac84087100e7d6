"""Affiliations: partners who send visitors, and are told what became of them."""
