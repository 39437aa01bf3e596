"""Do gains measure reasoning? Tests on labelled chains, with 95 % intervals."""
